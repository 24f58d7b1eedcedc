//! Every control of every page in every state: it has a name, the keyboard reaches it, and what is written on it is seen whole.

use crate::{Shown, show, show_in};
use banyan_tv::model::samples;
use eframe::egui::{Key, Rect, Role, Vec2};
use egui_kittest::Harness;
use egui_kittest::Node;
use egui_kittest::kittest::NodeT;
use std::collections::BTreeSet;

/// More controls than any page has.
const CONTROLS_MAX: usize = 80;

/// Windows: as it opens, narrow, and as it opens with everything twice as large.
const SIZES: [Vec2; 3] = [
    Vec2::new(1080.0, 720.0),
    Vec2::new(400.0, 720.0),
    Vec2::new(540.0, 360.0),
];

/// Points by which rounding may be out.
const ROUNDING: f32 = 1.0;

fn is_control(node: &Node<'_>) -> bool {
    matches!(
        node.accesskit_node().role(),
        Role::Button | Role::TextInput | Role::Slider | Role::CheckBox | Role::ComboBox | Role::SpinButton
    )
}

fn name(node: &Node<'_>) -> String {
    let node = node.accesskit_node();
    format!("{:?} “{}”", node.role(), node.label().unwrap_or_default())
}

#[test]
fn all_that_can_be_used_or_seen_has_a_name_for_screen_readers() {
    for (state, model) in samples::states() {
        let harness = show(model);
        for node in harness.root().children_recursive() {
            let has_to = is_control(&node) || node.accesskit_node().role() == Role::Image;
            let label = node.accesskit_node().label();
            assert!(
                !has_to || label.is_some_and(|label| !label.is_empty()),
                "{state}: {node:?}"
            );
        }
    }
}

#[test]
fn no_two_controls_of_a_page_are_called_the_same() {
    for (state, model) in samples::states() {
        let harness = show(model);
        let controls = harness.root().children_recursive().filter(is_control);
        let mut seen = BTreeSet::new();
        for control in controls {
            assert!(seen.insert(name(&control)), "{state}: {}", name(&control));
        }
    }
}

/// The controls that can be used as things are; of a question that is open, its own.
fn usable(harness: &Harness<'_, Shown>) -> BTreeSet<String> {
    let nodes = harness.root().children_recursive();
    let usable = nodes.filter(|node| is_control(node) && !node.accesskit_node().is_disabled());
    usable.map(|node| name(&node)).collect()
}

/// What gets the focus while Tab is pressed again and again.
fn tabbed(harness: &mut Harness<'_, Shown>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    for _ in 0..CONTROLS_MAX {
        harness.key_press(Key::Tab);
        harness.run_steps(2);
        let focused = harness.root().children_recursive();
        let focused = focused.filter(|node| node.accesskit_node().is_focused());
        reached.extend(focused.map(|node| name(&node)));
    }
    reached
}

#[test]
fn the_keyboard_reaches_every_control() {
    for (state, model) in samples::states() {
        let asks = model.request.is_some() || model.leaving.is_some() || model.closing.is_some();
        let mut harness = show(model);
        let usable = usable(&harness);
        let reached = tabbed(&mut harness);
        let missed: Vec<&String> = usable.difference(&reached).collect();
        if asks {
            // What stands behind a question waits for its answer.
            assert!(!reached.is_empty(), "{state}");
        } else {
            assert!(
                missed.is_empty(),
                "{state}: {missed:?} of {usable:?}, reached {reached:?}"
            );
        }
    }
}

/// What lies beside the window and cannot be scrolled to.
fn beside(harness: &Harness<'_, Shown>, size: Vec2) -> Vec<String> {
    let written = |node: &Node<'_>| is_control(node) || node.accesskit_node().role() == Role::Label;
    let nodes = harness.root().children_recursive().filter(written);
    let out = nodes.filter(|node| {
        let Rect { min, max } = node.rect();
        min.x < -ROUNDING || max.x > size.x + ROUNDING
    });
    out.map(|node| format!("{} at {:?}", name(&node), node.rect()))
        .collect()
}

#[test]
fn texts_fit_however_small_the_window_and_large_the_letters() {
    for size in SIZES {
        for (state, model) in samples::states() {
            let beside = beside(&show_in(model, size), size);
            assert!(beside.is_empty(), "{state} at {size:?}: {beside:?}");
        }
    }
}
