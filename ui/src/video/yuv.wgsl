// A picture in the planes that the decoder made, on the screen.

struct Picture {
    // Red, green and blue: what each takes of luma, blue difference and red difference, and what is added.
    red: vec4<f32>,
    green: vec4<f32>,
    blue: vec4<f32>,
    // Where in a texel luma and the two differences are, and how much a step of it is worth.
    luma: vec4<f32>,
    blue_difference: vec4<f32>,
    red_difference: vec4<f32>,
    // From a point of the picture to the chroma sample that belongs there.
    chroma_shift: vec4<f32>,
};

@group(0) @binding(0) var<uniform> picture: Picture;
@group(0) @binding(1) var samples: sampler;
@group(0) @binding(2) var luma_plane: texture_2d<f32>;
@group(0) @binding(3) var first_chroma_plane: texture_2d<f32>;
@group(0) @binding(4) var second_chroma_plane: texture_2d<f32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) point: vec2<f32>,
};

// One triangle that covers the picture's place.
@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Corner {
    let at = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    return Corner(vec4<f32>(at.x * 2.0 - 1.0, 1.0 - at.y * 2.0, 0.0, 1.0), at);
}

fn rgb(point: vec2<f32>) -> vec3<f32> {
    let chroma = point + picture.chroma_shift.xy;
    let first = textureSample(first_chroma_plane, samples, chroma);
    let second = textureSample(second_chroma_plane, samples, chroma);
    let yuv = vec4<f32>(
        dot(textureSample(luma_plane, samples, point), picture.luma),
        dot(first, picture.blue_difference),
        dot(second, picture.red_difference),
        1.0,
    );
    let colour = vec3<f32>(dot(yuv, picture.red), dot(yuv, picture.green), dot(yuv, picture.blue));
    return clamp(colour, vec3<f32>(0.0), vec3<f32>(1.0));
}

// For a screen that takes values as they are coded.
@fragment
fn coded(corner: Corner) -> @location(0) vec4<f32> {
    return vec4<f32>(rgb(corner.point), 1.0);
}

// For a screen that codes values itself.
@fragment
fn linear(corner: Corner) -> @location(0) vec4<f32> {
    let value = rgb(corner.point);
    let low = value / 12.92;
    let high = pow((value + 0.055) / 1.055, vec3<f32>(2.4));
    return vec4<f32>(select(high, low, value < vec3<f32>(0.04045)), 1.0);
}
