"""An init's curve begins where the init put the model."""

from lora_lab.ui import views
from tests.experiments import told


def test_an_inits_curve_begins_where_the_init_put_the_model():
    (chart,) = views.charts(told("init"), "en")
    assert [line.points[0].y for line in chart.lines] == [5.0, 6.0, 7.0, 8.0]
    drawn = views.drawn(told("init"), "en").replace("&#x27;", "'")
    assert "“PiSSA: the base's main directions” starts 3.00 nats away" in drawn
