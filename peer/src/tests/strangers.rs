//! Peers that mean ill, or are somebody else.
