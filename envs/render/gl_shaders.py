"""GLSL of the OpenGL renderer; the formulas are those of `shading`."""

MAX_BOXES = 8
"""boxes that can throw shadows, in one picture; stands in MESH_FRAGMENT too"""

MESH_VERTEX = """#version 330
uniform mat4 model;
uniform mat3 turn;
uniform mat4 to_camera;
uniform mat4 to_clip;
in vec3 in_position;
in vec3 in_normal;
in vec2 in_uv;
in vec3 in_colour;
out vec3 point_w;
out vec3 normal_w;
out vec2 uv;
out vec3 colour;
out float depth_c;
void main() {
    vec4 w = model * vec4(in_position, 1);
    vec4 c = to_camera * w;
    point_w = w.xyz;
    normal_w = turn * in_normal;
    uv = in_uv;
    colour = in_colour;
    depth_c = c.z;
    gl_Position = to_clip * c;
}
"""

MESH_FRAGMENT = """#version 330
#define MAX_BOXES 8
uniform sampler2D picture;
uniform sampler2DShadow shade;
uniform vec3 tint;
uniform bool has_picture;
uniform bool is_glossy;
uniform float glow;
uniform bool has_shadows;
uniform int id;
uniform vec3 eye;
uniform vec3 light;
uniform vec3 sun;
uniform vec3 ambient;
uniform vec3 ambient_slope;
uniform float highlight;
uniform float gloss;
uniform float lift;
uniform mat4 to_shade;
uniform float shade_step;
uniform int boxes;
uniform mat4 box_inverse[MAX_BOXES];
uniform vec3 box_half[MAX_BOXES];
in vec3 point_w;
in vec3 normal_w;
in vec2 uv;
in vec3 colour;
in float depth_c;
layout(location = 0) out vec4 out_colour;
layout(location = 1) out float out_depth;
layout(location = 2) out int out_id;

bool behind_box(vec3 p) {
    for (int k = 0; k < boxes; k++) {
        vec3 o = (box_inverse[k] * vec4(p, 1)).xyz;
        vec3 d = mat3(box_inverse[k]) * light;
        d = mix(d, vec3(1e-12), lessThan(abs(d), vec3(1e-12)));
        vec3 s = sign(d) * box_half[k];
        vec3 first = (-s - o) / d, last = (s - o) / d;
        float enter = max(max(first.x, first.y), max(first.z, 0.0));
        if (enter < min(last.x, min(last.y, last.z))) return true;
    }
    return false;
}

float sunlit(vec3 p) {
    if (!has_shadows) return 1.0;
    if (behind_box(p)) return 0.0;
    vec3 q = (to_shade * vec4(p, 1)).xyz * 0.5 + 0.5;
    if (any(lessThan(q.xy, vec2(0))) || any(greaterThan(q.xy, vec2(1))) || q.z < 0.0) return 1.0;
    q.z = min(q.z, 1.0);
    float total = 0.0;
    for (int i = -1; i <= 1; i++)
        for (int j = -1; j <= 1; j++)
            total += texture(shade, vec3(q.xy + shade_step * vec2(i, j), q.z));
    return total / 9.0;
}

void main() {
    vec3 albedo = tint * colour;
    if (has_picture) albedo *= texture(picture, uv).rgb;
    vec3 n = normalize(gl_FrontFacing ? normal_w : -normal_w);
    float lambert = dot(n, light);
    vec3 light_out = albedo * (ambient + n.z * ambient_slope);
    if (lambert > 0.0) {
        vec3 direct = albedo * lambert;
        if (is_glossy) {
            vec3 h = normalize(normalize(eye - point_w) + light);
            direct += highlight * pow(max(dot(n, h), 0.0), gloss);
        }
        light_out += direct * sun * sunlit(point_w + lift * n);
    }
    out_colour = vec4(mix(light_out, albedo, glow), 1);
    out_depth = depth_c;
    out_id = id;
}
"""

SHADE_VERTEX = """#version 330
uniform mat4 model;
uniform mat4 to_shade;
in vec3 in_position;
void main() { gl_Position = to_shade * model * vec4(in_position, 1); }
"""

SHADE_FRAGMENT = """#version 330
void main() {}
"""

BACKDROP_VERTEX = """#version 330
uniform vec4 ray_scale;
uniform mat3 to_world;
out vec3 ray_w;
void main() {
    vec2 corner = vec2(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1);
    ray_w = to_world * vec3(corner * ray_scale.xy + ray_scale.zw, 1);
    gl_Position = vec4(corner, 0, 1);
}
"""

BACKDROP_FRAGMENT = """#version 330
uniform vec3 low;
uniform vec3 high;
in vec3 ray_w;
layout(location = 0) out vec4 out_colour;
layout(location = 1) out float out_depth;
layout(location = 2) out int out_id;
void main() {
    out_colour = vec4(mix(low, high, clamp(normalize(ray_w).z, 0.0, 1.0)), 1);
    out_depth = 0.0;
    out_id = -1;
}
"""
