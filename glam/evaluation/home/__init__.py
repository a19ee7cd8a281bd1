"""The home-made set: questions from text of the training domains that a run was not trained on."""
