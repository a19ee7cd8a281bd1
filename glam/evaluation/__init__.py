"""The 29 tasks of GLaM's paper, through EleutherAI's lm-eval; only here is that imported."""
