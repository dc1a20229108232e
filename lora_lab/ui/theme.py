"""The look: one accent colour, quiet surfaces, fonts of the visitor's own system."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

INK = gr.themes.Color(
    name="ink",
    c50="#eef4ff",
    c100="#dbe6ff",
    c200="#bcd0ff",
    c300="#8fb0ff",
    c400="#6d95ff",
    c500="#2f5fe8",
    c600="#2450d6",
    c700="#1d40ad",
    c800="#1c3888",
    c900="#1b326d",
    c950="#121f44",
)
CSS = [Path(__file__).with_name(name) for name in ("page.css", "ranklab.css", "shelf.css")]


def theme() -> gr.themes.Base:
    return gr.themes.Base(
        primary_hue=INK,
        neutral_hue="slate",
        radius_size="lg",
        spacing_size="md",
        font=["Inter", "system-ui", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "monospace"],
    ).set(
        body_background_fill="#f7f8fa",
        body_background_fill_dark="#0d1117",
        body_text_color_subdued="#566273",
        body_text_color_subdued_dark="#a3aebd",
        block_background_fill="#ffffff",
        block_background_fill_dark="#151b23",
        block_border_width="1px",
        block_border_color="#e4e7ec",
        block_border_color_dark="#2a3340",
        block_shadow="none",
        block_info_text_color="#566273",
        block_info_text_color_dark="#a3aebd",
        block_label_background_fill="transparent",
        block_label_border_width="0px",
        block_title_text_weight="600",
        block_title_text_size="*text_sm",
        block_title_text_color="*body_text_color",
        input_background_fill="#fbfcfd",
        input_background_fill_dark="#0f151c",
        input_border_color="#cbd2dc",
        input_border_color_dark="#3a4656",
        button_primary_background_fill="*primary_500",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover="*primary_600",
        button_primary_text_color="white",
        button_large_text_weight="600",
        slider_color="*primary_500",
        slider_color_dark="*primary_400",
        layout_gap="12px",
        section_header_text_weight="600",
    )
