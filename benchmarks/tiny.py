"""Shapes of models that are trained in a moment, as tables of a configuration.

Nothing is imported here, so that who only writes the text does not load torch.
"""

DENSE_TOML = """
[shape]
n_layers = 2
d_model = 16
n_heads = 2
n_kv_heads = 2
d_head = 8
d_ff = 32
ffn_matrices = 3
vocab_size = 400
seq_len = 16
relative_buckets = 8
"""

MIXTURE_TOML = f"{DENSE_TOML}n_moe_layers = 1\nn_experts = 4\ntop_k = 2\nd_expert = 16\n"
