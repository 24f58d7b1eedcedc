//! Pictures in a place on the window.

use super::pipeline::Pipeline;
use super::planes::{Planes, is_drawable};
use banyan::player::Picture;
use eframe::egui::{Color32, PaintCallbackInfo, Painter, Rect, Vec2};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, ScreenDescriptor};
use eframe::wgpu;
use std::sync::{Arc, Mutex};

/// Where pictures of one channel are shown. Clones are the same screen; the graphics card's memory goes with the last.
#[derive(Clone, Default)]
pub struct Screen(Arc<Mutex<Option<Planes>>>);

impl Screen {
    /// Shows a picture in `place`: whole, in its own shape, with black around it. Without one the place is black.
    pub fn show(&self, painter: &Painter, place: Rect, picture: Option<&Arc<Picture>>) {
        painter.rect_filled(place, 0.0, Color32::BLACK);
        if let Some(picture) = picture {
            let draw = Draw {
                screen: self.clone(),
                picture: picture.clone(),
            };
            let place = fitted(place, picture.aspect);
            painter.add(Callback::new_paint_callback(place, draw));
        }
    }
}

/// The largest place of this width to height within `place`, in the middle.
pub fn fitted(place: Rect, aspect: f32) -> Rect {
    let width = place.width().min(place.height() * aspect);
    Rect::from_center_size(place.center(), Vec2::new(width, width / aspect))
}

/// One picture, to be drawn with the next frame.
struct Draw {
    screen: Screen,
    picture: Arc<Picture>,
}

impl CallbackTrait for Draw {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _: &ScreenDescriptor,
        _: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let most = device.limits().max_texture_dimension_2d;
        let Some(pipeline) = resources
            .get::<Pipeline>()
            .filter(|_| is_drawable(&self.picture, most))
        else {
            return Vec::new();
        };
        let mut planes = self.screen.0.lock().expect("drawing does not panic");
        if !planes.as_ref().is_some_and(|planes| planes.fits(&self.picture)) {
            *planes = Some(Planes::new(device, pipeline, &self.picture));
        }
        if let Some(planes) = planes.as_mut() {
            planes.hold(queue, &self.picture);
        }
        Vec::new()
    }

    fn paint(
        &self,
        _: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let planes = self.screen.0.lock().expect("drawing does not panic");
        if let (Some(pipeline), Some(planes)) = (resources.get::<Pipeline>(), planes.as_ref()) {
            pass.set_pipeline(&pipeline.pipeline);
            pass.set_bind_group(0, &planes.bindings, &[]);
            pass.draw(0..3, 0..1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::pos2;

    #[test]
    fn a_picture_fits_with_bars_at_the_sides_or_above_and_below() {
        let wide = Rect::from_min_max(pos2(10.0, 20.0), pos2(410.0, 120.0));
        let fit = fitted(wide, 16.0 / 9.0);
        assert!((fit.height() - 100.0).abs() < 0.01 && (fit.width() - 177.78).abs() < 0.01);
        assert_eq!(fit.center(), wide.center());
        let tall = Rect::from_min_max(pos2(0.0, 0.0), pos2(160.0, 900.0));
        let fit = fitted(tall, 16.0 / 9.0);
        assert!((fit.width() - 160.0).abs() < 0.01 && (fit.height() - 90.0).abs() < 0.01);
    }
}
