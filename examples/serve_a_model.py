# pip install glam-energy
"""What a model spends when it answers: joules a token and latency, by batch, on two chips."""

import simulator

for chip, chips in (("h100", 4), ("h200", 2)):
    print(f"llama3-70b on {chips} {chip}, 500 tokens in, 300 out")
    for batch in (1, 16, 128):
        served = simulator.serve(
            "llama3-70b", chip, chips, batch=batch, isl=500, osl=300, zone="US"
        )
        q = served.quantities
        print(f"  batch {batch}: {q['j_per_token']} a token, {q['itl_s']} between tokens")
