"""Fine-tuning of a trained model on the items of tasks: loss on answers only, metered."""
