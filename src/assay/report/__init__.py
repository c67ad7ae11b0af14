"""What a run leaves for readers: the HTML report, the model card and the data card."""

from assay.report.cards import data_card, model_card
from assay.report.html import render_html
from assay.report.view import RunView, StageTime

__all__ = ["RunView", "StageTime", "data_card", "model_card", "render_html"]
