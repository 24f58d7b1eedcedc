//! A picture's planes on the graphics card, kept as long as pictures stay the same size.

use super::pipeline::{PLANES, Pipeline};
use super::shape::{self, NUMBERS};
use banyan::player::{Picture, Plane, Planes as Samples};
use eframe::wgpu;
use std::sync::{Arc, Weak};

/// What is on the graphics card.
pub(super) struct Planes {
    shape: Shape,
    textures: Vec<wgpu::Texture>,
    numbers: wgpu::Buffer,
    pub(super) bindings: wgpu::BindGroup,
    /// The picture that was put there last.
    holds: Weak<Picture>,
}

/// What textures are made for: the size and format of each.
type Shape = Vec<(u32, u32, wgpu::TextureFormat)>;

impl Planes {
    /// Whether pictures such as this one fit.
    pub(super) fn fits(&self, picture: &Picture) -> bool {
        self.shape == shape_of(picture)
    }

    /// Room for pictures such as this one.
    pub(super) fn new(device: &wgpu::Device, pipeline: &Pipeline, picture: &Picture) -> Self {
        let shape = shape_of(picture);
        let textures: Vec<_> = shape.iter().map(|&form| texture(device, form)).collect();
        let numbers = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("video"),
            size: (NUMBERS * size_of::<f32>()) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let bindings = bindings(device, pipeline, &textures, &numbers);
        Self {
            shape,
            textures,
            numbers,
            bindings,
            holds: Weak::new(),
        }
    }

    /// Puts a picture there, unless it is there already.
    pub(super) fn hold(&mut self, queue: &wgpu::Queue, picture: &Arc<Picture>) {
        if std::ptr::eq(self.holds.as_ptr(), Arc::as_ptr(picture)) {
            return;
        }
        for (texture, plane) in self.textures.iter().zip(picture.planes.as_slice()) {
            upload(queue, texture, plane);
        }
        let numbers: Vec<u8> = shape::numbers(picture)
            .iter()
            .flat_map(|it| it.to_ne_bytes())
            .collect();
        queue.write_buffer(&self.numbers, 0, &numbers);
        self.holds = Arc::downgrade(picture);
    }
}

fn shape_of(picture: &Picture) -> Shape {
    let planes = picture.planes.as_slice().iter().enumerate();
    planes
        .map(|(index, plane)| (plane.width, plane.height, shape::format(picture, index)))
        .collect()
}

fn texture(device: &wgpu::Device, (width, height, format): (u32, u32, wgpu::TextureFormat)) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("video plane"),
        size: wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

fn bindings(
    device: &wgpu::Device,
    pipeline: &Pipeline,
    textures: &[wgpu::Texture],
    numbers: &wgpu::Buffer,
) -> wgpu::BindGroup {
    let views: Vec<_> = textures
        .iter()
        .map(|it| it.create_view(&Default::default()))
        .collect();
    let mut entries = vec![
        wgpu::BindGroupEntry {
            binding: 0,
            resource: numbers.as_entire_binding(),
        },
        wgpu::BindGroupEntry {
            binding: 1,
            resource: wgpu::BindingResource::Sampler(&pipeline.sampler),
        },
    ];
    // With both differences in one plane, that one is read for each.
    entries.extend((0..PLANES).map(|index| wgpu::BindGroupEntry {
        binding: 2 + index as u32,
        resource: wgpu::BindingResource::TextureView(&views[index.min(views.len() - 1)]),
    }));
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("video"),
        layout: &pipeline.layout,
        entries: &entries,
    })
}

fn upload(queue: &wgpu::Queue, texture: &wgpu::Texture, plane: &Plane) {
    queue.write_texture(
        texture.as_image_copy(),
        &plane.data,
        wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(plane.stride as u32),
            rows_per_image: None,
        },
        texture.size(),
    );
}

/// Whether a graphics card with textures up to `most` can hold it.
pub(super) fn is_drawable(picture: &Picture, most: u32) -> bool {
    let (Samples::Three(_) | Samples::Two(_)) = &picture.planes;
    picture.width.max(picture.height) <= most && picture.planes.as_slice().iter().all(|it| it.width > 0)
}
