"""The GraphQL API: types, inputs and fields over the resolvers."""
