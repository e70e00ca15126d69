"""From raw files to checked, split, memory-mapped rows: sources, readers, features, storage, augmentation."""
