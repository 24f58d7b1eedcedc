//! Why no window can be opened, in words, and what to do.

use eframe::Error;

/// The sentence for standard error.
pub fn words(error: &Error) -> String {
    match error {
        Error::Winit(_) | Error::WinitEventLoop(_) => "there is no display to open a window on: set DISPLAY or WAYLAND_DISPLAY \
             to that of a desktop that runs, or use `banyan`, which needs none"
            .into(),
        Error::Wgpu(_) => "no graphics driver draws on this display: install Mesa's (mesa-vulkan-drivers or libgl1-mesa-dri; \
             they draw without a graphics card, too), or use `banyan`, which needs none"
            .into(),
        other => format!("no window can be opened: {other}; `banyan` does the same without one"),
    }
}
