"""Integrations: tools that tell this server what happened elsewhere, or are told what
happened here. `kinds` says what each kind is set to, and checks it."""
