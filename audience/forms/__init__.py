"""Sign-up forms: what they ask for, where they appear, and what an answer means."""
