//! The network, to look at: who feeds whom, and how it went.

use crate::look::{FAR, palette};
use crate::model::Model;
use crate::widgets::{card, heading, page, plots, trees};
use banyan::trees::Trees;
use eframe::egui::{Id, RichText, Ui};

pub(super) fn show(ui: &mut Ui, model: &mut Model) {
    page(ui, "Network", |ui| {
        match &model.trees {
            Some(known) => card(ui, |ui| forest(ui, known)).inner,
            None => {
                ui.label(RichText::new("Watch a channel or broadcast one to see who feeds whom.").weak());
            }
        }
        if let Some(trouble) = model.watching.as_ref().and_then(|watching| watching.trouble()) {
            ui.colored_label(palette(ui.ctx()).warn, trouble);
        }
        ui.add_space(FAR);
        if !model.history.is_empty() {
            card(ui, |ui| plots(ui, &model.history));
        }
    });
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
    let stripes = trees::stripes(known);
    let id = Id::unique("stripe shown");
    let mut only = ui.data(|data| data.get_temp::<Option<usize>>(id)).flatten();
    ui.horizontal_wrapped(|ui| {
        ui.selectable_value(&mut only, None, "All stripes");
        for (n, stripe) in stripes.iter().enumerate() {
            let colour = trees::colour(n, ui.visuals().dark_mode);
            ui.selectable_value(
                &mut only,
                Some(n),
                RichText::new(format!("Stripe {stripe}")).color(colour),
            );
        }
    });
    ui.data_mut(|data| data.insert_temp(id, only));
    let only = only.and_then(|n| stripes.get(n).copied());
    trees::draw(ui, known, only);
    ui.label(RichText::new("Bars in the boxes show how much of an uplink is in use.").weak());
}
