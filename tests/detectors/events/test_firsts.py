"""News: together, by the day, and not at the first breath."""

from detectors.events import News, firsts


def told(news, end=1440, budget=1, together=30):
    found = firsts(news, together, 1440, budget)
    return [(one.news[0].name, one.told(end)) for one in found if one.told(end)]


def test_one_event_is_no_news_and_two_are():
    assert not told([News("eu-1", "A", [(3, 1.0)])])
    ((name, found),) = told([News("eu-1", "A", [(3, 1.0), (9, 1.0)])])
    assert (name, found.start, found.end, found.score) == ("A", 9, 10, 1.0)


def test_reasons_of_one_rollout_are_one_news():
    news = [News("eu-1", f"R{i:02}", [(100 + i, 2.0)]) for i in range(20)]
    assert len(told(news)) == 1
    assert len(told([*news, News("us-2", "R00", [(105, 9.0)])])) == 2


def test_the_more_there_was_on_a_day_the_louder_the_next_must_be():
    every_hour = [News("eu-1", f"R{i}", [(60 * i, 2.0)]) for i in range(10)]
    assert len(told(every_hour)) == 1
    assert len(told(every_hour, budget=3)) == 3
    loud = News("eu-1", "Z", [(700, 5000.0)])
    assert [name for name, _ in told([*every_hour, loud])] == ["R0", "Z"]
    # What came once took nobody's time.
    single = [News("eu-1", f"S{i}", [(60 * i + 31, 1.0)]) for i in range(9)]
    assert len(told([*single, News("eu-1", "R", [(700, 2.0)])])) == 1
    # A new day begins anew.
    next_day = [News("eu-1", f"R{i}", [(1440 * i, 2.0)]) for i in range(3)]
    assert len(told(next_day, end=9000)) == 3


def test_what_is_told_stays_and_grows():
    news = [News("eu-1", "A", [(3, 1.0), (9, 1.0), (20, 6.0)])]
    early, late = (firsts(news, 30, 1440, 1)[0].told(end) for end in (10, 30))
    assert (early.start, early.end, late.start, late.end) == (9, 10, 9, 21)
    assert late.score > early.score == 1.0
    assert (late.peak, late.most) == (20, 6.0)
