"""What a served model takes: prefill and decode on some chips, their time, watts and joules."""
