//! Who hangs where: members, trees, capacity, placement, admission and standing. The coordinator's part.
