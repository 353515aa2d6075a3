// The examples as tabs. Where their variables name "FIRST_LIST", the id of a list of this
// server takes its place.
const FIRST_LIST = "FIRST_LIST";

export async function fillIn(examples, ask) {
  const needed = examples.some(({ variables }) => variables.includes(FIRST_LIST));
  const id = needed && ask ? await firstList(ask) : null;
  return examples.map(({ query, variables }) => ({
    query,
    variables: variables.replaceAll(FIRST_LIST, id ?? "the id of a list"),
  }));
}

async function firstList(ask) {
  const answer = await ask("{ lists(first: 1) { edges { node { id } } } }").catch(() => null);
  return answer?.data?.lists?.edges?.[0]?.node.id;
}
