//! The network, to look at: why the picture got worse, who feeds whom, and how it went.

use crate::look::{FAR, NEAR, palette};
use crate::model::{Model, Trouble};
use crate::widgets::{self, card, heading, page, plots, trees};
use banyan::trees::Trees;
use banyan_protocol::media::StripeId;
use eframe::egui::{Id, RichText, Ui};

pub(super) fn show(ui: &mut Ui, model: &mut Model) {
    page(ui, "Network", |ui| {
        choice(ui, model);
        trouble(ui, model);
        let network = model.network();
        match &network.trees {
            Some(known) => card(ui, |ui| forest(ui, known)).inner,
            None => {
                ui.label(RichText::new("Watch a channel or broadcast one to see who feeds whom.").weak());
            }
        }
        ui.add_space(FAR);
        if !network.history.is_empty() {
            card(ui, |ui| plots(ui, &network.history));
        }
    });
}

fn choice(ui: &mut Ui, model: &mut Model) {
    if !model.has_two_networks() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.selectable_value(&mut model.looks_at_own, false, "The channel that you watch");
        ui.selectable_value(&mut model.looks_at_own, true, "Your own channel");
    });
    ui.add_space(NEAR);
}

/// Of what is watched, whichever network is looked at.
fn trouble(ui: &mut Ui, model: &Model) {
    let watching = model.watching.as_ref();
    if let Some(Trouble { why, help }) = watching.and_then(|watching| watching.trouble(&model.settings)) {
        widgets::trouble(ui, &why, &help);
        ui.add_space(NEAR);
    }
}

fn forest(ui: &mut Ui, known: &Trees) {
    heading(ui, "Who feeds whom");
    let about = match known.whole {
        true => "Each colour is one stripe of the stream, with a tree of its own.",
        false => {
            "You see your own neighbours: who sends to you, and to whom you pass on. Each colour is one stripe. The whole \
             network is known to the broadcaster alone, and nobody else is told, so that no viewer can list who watches."
        }
    };
    ui.label(RichText::new(about).weak());
    troubled(ui, &known.troubled());
    let only = one_stripe(ui, &trees::stripes(known));
    trees::legend(ui, known);
    trees::draw(ui, known, only);
    let bars = "Bars in the boxes show how much of an uplink is in use, where that is known.";
    ui.label(RichText::new(bars).weak());
}

/// What does not come just now.
fn troubled(ui: &mut Ui, troubled: &[StripeId]) {
    let names: Vec<String> = troubled.iter().map(ToString::to_string).collect();
    let text = match &names[..] {
        [] => return,
        [one] => format!("Stripe {one} does not come just now; another who has it is being asked."),
        many => format!(
            "Stripes {} do not come just now; others who have them are being asked.",
            many.join(", ")
        ),
    };
    ui.colored_label(palette(ui.ctx()).warn, text);
}

/// Lets one stripe be chosen, or all.
fn one_stripe(ui: &mut Ui, stripes: &[StripeId]) -> Option<StripeId> {
    let id = Id::unique("stripe shown");
    let mut only = ui.data(|data| data.get_temp::<Option<usize>>(id)).flatten();
    ui.horizontal_wrapped(|ui| {
        ui.selectable_value(&mut only, None, "All stripes");
        for (n, stripe) in stripes.iter().enumerate() {
            let colour = trees::colour(n, ui.visuals().dark_mode);
            let name = RichText::new(format!("Stripe {stripe}")).color(colour);
            ui.selectable_value(&mut only, Some(n), name);
        }
    });
    ui.data_mut(|data| data.insert_temp(id, only));
    only.and_then(|n| stripes.get(n).copied())
}
