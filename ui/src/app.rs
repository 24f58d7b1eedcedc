//! The window: draws the model, and has done what the person wants.

use crate::backend::{Backend, profile};
use crate::look;
use crate::model::{
    Broadcasting, Command, Form, Gravity, Leaving, Look, Model, News, Page, PlayerOrder, Preview, Watching,
};
use crate::pages::{self, Shown};
use crate::playing::Playing;
use crate::store::{Kept, Store};
use crate::video;
use banyan::cloud::desk;
use banyan::folders::Folders;
use eframe::CreationContext;
use eframe::egui::{self, Context, Ui, ViewportCommand};

/// The app.
pub struct App {
    model: Model,
    backend: Backend,
    store: Store,
    commands: Vec<Command>,
    /// What plays the channel that is watched.
    playing: Option<Playing>,
    /// What shows one's own broadcast, or its input before that.
    own: Option<Playing>,
    /// Whether the screen is kept awake.
    awake: bool,
}

impl App {
    /// Reads what was kept, starts the backend, and joins `link`, if there is one.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub fn new(
        creation: &CreationContext<'_>,
        folders: Folders,
        link: Option<String>,
    ) -> std::io::Result<Self> {
        let ctx = &creation.egui_ctx;
        look::dress(ctx);
        if let Some(state) = &creation.wgpu_render_state {
            video::install(state);
        }
        let config = folders
            .config_file
            .parent()
            .unwrap_or(&folders.data)
            .to_path_buf();
        let store = Store::new(&config, &folders.data);
        let Kept {
            settings,
            channels,
            complaints,
        } = store.load();
        let woken = ctx.clone();
        let site = desk::site(&folders);
        let mut model = Model::new(settings, channels);
        model.profile = profile();
        match site {
            Ok(site) => model.site = site,
            Err(error) => model.say(
                Gravity::Warning,
                format!("{error}. Relays in the cloud are launched as if it were not there."),
            ),
        }
        let backend = Backend::start(folders, model.settings.clone(), model.site.clone(), move || {
            woken.request_repaint();
        })?;
        for complaint in complaints {
            model.say(Gravity::Warning, complaint);
        }
        apply(ctx, &model);
        Ok(Self {
            model,
            backend,
            store,
            commands: link.map(Command::Watch).into_iter().collect(),
            playing: None,
            own: None,
            awake: false,
        })
    }

    fn obey(&mut self, ctx: &Context, command: Command) {
        match &command {
            Command::Watch(link) => return self.watch(ctx, link.clone()),
            Command::Player(order) => self.play(*order),
            Command::Preview(form) => return self.preview(ctx, form.clone()),
            Command::GoLive(form) => return self.go_live(ctx, form.clone()),
            Command::FullScreen(full) => {
                self.model.full_screen = *full;
                ctx.send_viewport_cmd(ViewportCommand::Fullscreen(*full));
            }
            Command::Leave => {
                // At once, however long handing over takes.
                self.model.take(News::Left(None));
                self.model.full_screen = false;
                ctx.send_viewport_cmd(ViewportCommand::Fullscreen(false));
            }
            Command::Quit => {
                self.model.close();
                self.backend.leave();
                ctx.send_viewport_cmd(ViewportCommand::Fullscreen(false));
            }
            Command::Close => self.model.quits = true,
            Command::Copy(text) => ctx.copy_text(text.clone()),
            Command::Keep(settings) => {
                apply(ctx, &self.model);
                self.kept(self.store.keep_settings(settings));
            }
            Command::KeepChannels => self.kept(self.store.keep_channels(&self.model.channels)),
            Command::Answer(_, crate::model::Reply::Never) => {
                self.model.settings.sponsor = crate::model::SponsorWish::Never;
                self.kept(self.store.keep_settings(&self.model.settings));
            }
            _ => {}
        }
        self.backend.send(command);
    }

    fn watch(&mut self, ctx: &Context, link: String) {
        self.model.channels.watched(&link, "");
        self.kept(self.store.keep_channels(&self.model.channels));
        let known = self
            .model
            .channels
            .in_order()
            .find(|channel| channel.link == link);
        let title = known.map_or(String::new(), |channel| channel.title.clone());
        let mut watching = Watching::new(link.clone(), title);
        watching.relays_run_on = self.model.settings.runs_on;
        self.model.watch(watching);
        let playing = Playing::begin(ctx, &self.model.settings);
        self.backend.watch(link, playing.player().clone());
        self.playing = Some(playing);
    }

    fn play(&self, order: PlayerOrder) {
        if let Some(playing) = &self.playing {
            playing.obey(order);
        }
    }

    /// The broadcaster's own picture.
    fn follow_the_own(&mut self) {
        let Some(own) = &self.own else { return };
        let on_air = self.model.broadcasting.as_mut().map(|it| &mut it.player);
        let Some(state) = on_air.or(self.model.preview.as_mut().map(|it| &mut it.player)) else {
            self.own = None;
            return;
        };
        own.looked_at(self.model.page == Page::Broadcast);
        *state = own.player().state();
    }

    fn follow_the_player(&mut self) {
        let (Some(playing), Some(watching)) = (&mut self.playing, &mut self.model.watching) else {
            self.playing = None;
            return;
        };
        watching.player = playing.player().state();
        if let Some(trouble) = playing.new_trouble() {
            self.model.say(Gravity::Warning, trouble);
        }
    }

    fn preview(&mut self, ctx: &Context, form: Box<Form>) {
        let complaint = form.resolve().err();
        self.model.form.complaint.clone_from(&complaint);
        if complaint.is_none() {
            let own = Playing::silent(ctx);
            self.model.preview = Some(Preview::default());
            self.backend.preview(form, own.player().clone());
            self.own = Some(own);
        }
    }

    fn go_live(&mut self, ctx: &Context, mut form: Box<Form>) {
        if form.title.trim().is_empty() {
            form.title.clone_from(&self.model.settings.name);
        }
        let complaint = form.resolve().err().or(form.uplink().err());
        self.model.form.complaint.clone_from(&complaint);
        if complaint.is_none() {
            let own = self.own.take().unwrap_or_else(|| Playing::silent(ctx));
            self.model.go_live(Broadcasting::of(&form));
            self.backend.go_live(form, own.player().clone());
            self.own = Some(own);
        }
    }

    /// A window that is closed while a relay of this person's runs asks first, and closes when everything has been left; closed
    /// again, it does so at once.
    fn closes(&mut self, ctx: &Context, is_over: bool) {
        if let Some(closing) = &mut self.model.closing {
            closing.is_over = is_over;
            self.model.quits |= closing.is_done();
        }
        if self.model.quits {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        } else if ctx.input(|input| input.viewport().close_requested()) && self.model.closing.is_none() {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            self.model.leave(Leaving::Program, &mut self.commands);
        }
    }

    fn kept(&mut self, result: std::io::Result<()>) {
        if let Err(error) = result {
            let text = format!("This could not be kept for the next time: {error}.");
            self.model.say(Gravity::Warning, text);
        }
    }
}

/// What the settings say about the window itself.
fn apply(ctx: &Context, model: &Model) {
    ctx.set_theme(match model.settings.look {
        Look::System => egui::ThemePreference::System,
        Look::Light => egui::ThemePreference::Light,
        Look::Dark => egui::ThemePreference::Dark,
    });
    ctx.set_zoom_factor(model.settings.scale);
}

impl eframe::App for App {
    /// Runs also while the window is hidden.
    fn logic(&mut self, ctx: &Context, _: &mut eframe::Frame) {
        // What was told before it was over has been heard then.
        let is_over = self.backend.is_over();
        let news: Vec<News> = self.backend.news().collect();
        for news in news {
            self.model.take(news);
        }
        self.closes(ctx, is_over);
        self.follow_the_player();
        self.follow_the_own();
        if self.awake != self.model.keeps_awake() {
            self.awake = !self.awake;
            self.backend.keep_awake(self.awake);
        }
        for command in std::mem::take(&mut self.commands) {
            self.obey(ctx, command);
        }
    }

    fn ui(&mut self, ui: &mut Ui, _: &mut eframe::Frame) {
        let (channel, own) = (self.playing.as_ref(), self.own.as_ref());
        let mut screen = |ui: &mut Ui, shown: Shown| {
            let playing = match shown {
                Shown::Channel => channel,
                Shown::Own => own,
            };
            if let Some(playing) = playing {
                playing.show(ui);
            }
        };
        pages::show(ui, &mut self.model, &mut screen, &mut self.commands);
        if !self.commands.is_empty() {
            ui.ctx().request_repaint();
        }
    }
}
