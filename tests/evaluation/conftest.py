from evaluation_fixtures import evaluation_of, one_thread, shades

__all__ = ["evaluation_of", "one_thread", "shades"]
