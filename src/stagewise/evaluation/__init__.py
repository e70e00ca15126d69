"""What the test split says about a trained model: predictions, figures with intervals, one page."""
