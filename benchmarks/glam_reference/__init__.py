"""Golden values of GLaM from its authors' framework, for tests that need neither."""
