//! Where everybody is drawn: in the layer of its shortest way from the source, near its parents.

use banyan::trees::{NodeKind, Trees};
use banyan_protocol::id::PeerId;

/// Where a peer is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// Who.
    pub(super) peer: PeerId,
    /// Steps from the source.
    pub(super) layer: usize,
    /// Which in its layer, from the left.
    pub(super) at: usize,
    /// How many are in its layer.
    pub(super) of: usize,
}

/// Places all of `trees`. Who receives nothing from anybody known stands in the first layer below the source.
pub(super) fn place(trees: &Trees) -> Vec<Placed> {
    let layers = layers(trees);
    let last = layers.iter().copied().max().unwrap_or(0);
    let mut placed: Vec<Placed> = Vec::with_capacity(layers.len());
    for layer in 0..=last {
        let mut members: Vec<(f64, PeerId)> = (0..layers.len())
            .filter(|n| layers[*n] == layer)
            .map(|n| trees.nodes[n].peer)
            .map(|peer| (pull(trees, peer, &placed), peer))
            .collect();
        members.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let of = members.len();
        let members = members.into_iter().enumerate();
        placed.extend(members.map(|(at, (_, peer))| Placed { peer, layer, at, of }));
    }
    placed
}

/// Steps from the source for each node: as many rounds as there are nodes settle it, whatever hangs where.
fn layers(trees: &Trees) -> Vec<usize> {
    let index = |peer: PeerId| trees.nodes.iter().position(|node| node.peer == peer);
    let edges: Vec<(usize, usize)> = trees
        .edges
        .iter()
        .filter_map(|edge| Some((index(edge.parent)?, index(edge.child)?)))
        .collect();
    let is_root = |n: &usize| trees.nodes[*n].kind == NodeKind::Source;
    let mut layers: Vec<Option<usize>> = (0..trees.nodes.len()).map(|n| is_root(&n).then_some(0)).collect();
    for _ in 0..trees.nodes.len() {
        for (parent, child) in &edges {
            let below = layers[*parent].map(|layer| layer + 1);
            if below.is_some() && layers[*child].is_none_or(|layer| below < Some(layer)) {
                layers[*child] = below;
            }
        }
    }
    hang_the_rest(&mut layers, &edges);
    layers.into_iter().map(|layer| layer.unwrap_or(1)).collect()
}

/// Of a part of the trees the way from the source is unknown: parents stand right below it, children below them.
fn hang_the_rest(layers: &mut [Option<usize>], edges: &[(usize, usize)]) {
    for _ in 0..layers.len() {
        for (parent, child) in edges {
            if layers[*parent].is_none() && edges.iter().all(|(_, other)| other != parent) {
                layers[*parent] = Some(1);
            }
            if let (Some(above), None) = (layers[*parent], layers[*child]) {
                layers[*child] = Some(above + 1);
            }
        }
    }
}

/// Where its parents stand, from 0 to 1, so that lines cross less.
fn pull(trees: &Trees, peer: PeerId, placed: &[Placed]) -> f64 {
    let parents = trees.edges.iter().filter(|edge| edge.child == peer);
    let spots: Vec<f64> = parents
        .filter_map(|edge| placed.iter().find(|node| node.peer == edge.parent))
        .map(|node| (node.at as f64 + 0.5) / node.of as f64)
        .collect();
    match spots.len() {
        0 => 0.5,
        count => spots.iter().sum::<f64>() / count as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples;

    #[test]
    fn the_source_is_on_top_and_everybody_is_placed_once() {
        let trees = samples::trees();
        let placed = place(&trees);
        assert_eq!(placed.len(), trees.nodes.len());
        assert_eq!(
            (placed[0].peer, placed[0].layer, placed[0].of),
            (trees.nodes[0].peer, 0, 1)
        );
        for edge in &trees.edges {
            let layer = |peer| placed.iter().find(|node| node.peer == peer).unwrap().layer;
            assert!(layer(edge.child) <= layer(edge.parent) + 1);
        }
    }

    #[test]
    fn a_part_of_the_trees_hangs_together() {
        let mut trees = samples::trees();
        let source = trees.nodes[0].peer;
        trees.edges.retain(|edge| edge.parent != source);
        let placed = place(&trees);
        let layer = |n: usize| {
            placed
                .iter()
                .find(|node| node.peer == trees.nodes[n].peer)
                .unwrap()
                .layer
        };
        assert_eq!(layer(0), 0);
        assert_eq!(layer(1), 1);
        assert!(layer(8) > 1);
    }
}
