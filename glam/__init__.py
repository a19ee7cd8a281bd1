"""The workload: a GLaM trainer (mixture-of-experts and its dense twin), instrumented by energy."""
