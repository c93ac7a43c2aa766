"""Tests of the HTML report in a real browser: what it says, what it never does, and for whom it can be read."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from grader.course import Course, Exercise, Lesson, load_course
from grader.reports import render
from grader.reports.heatmap import compared, palette
from grader.result import Comparison, ExerciseResult, Result, Shown, TestResult

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = {
    "scripts": "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>",
    "attributes": '" onmouseover="window.hacked = 1" style="position:fixed;inset:0" x=\'',
    "closing tags": "</style></code></pre></p></details></main></html><h1 id=hacked>x</h1>",
    "addresses": "https://example.org/x.png url(https://example.org/y.png) javascript:window.hacked=1 data:text/html,x",
    "templates": "{{ 7 * 7 }} {% include '/etc/passwd' %} {# x #}",
    "backticks": "`<b onclick=alert(1)>` and ` alone ``` `",
    "long words": "x" * 3000,
    "wide words": "\u6f22" * 400,
    "right to left": "\u05e9\u05dc\u05d5\u05dd \u202eevil\u202c \u0627\u0644\u0639\u0631\u0628\u064a\u0629 !",
    "what is no text": "\0\x1b[31m\ud800\ufffe\x85\u2028\u2066",
}


def shown(near: list[list[str]], picture: list[list[float | None]] | None = None, **more: Any) -> Shown:
    fields = {"kind": "Tensor", "shape": (len(near), len(near[0])), "dtype": "float32", "device": "cpu"}
    rows = tuple(tuple(row) for row in near)
    return Shown(near=rows, picture=tuple(tuple(row) for row in picture or []), **{**fields, **more})


GOT = shown([["1", "2", "nan"], ["4", "-5", "inf"]])
EXPECTED = shown([["1", "2", "3"], ["4", "5", "6"]])
WRONG = Comparison(
    difference="values",
    brief="the result has wrong values",
    called="transpose_view(t, 0, 1)",
    inputs={"t": "tensor(shape=(3, 2), float32)"},
    got=GOT,
    expected=EXPECTED,
    worst=(1, 1),
    near_start=(0, 0),
    differing=3,
    elements=6,
    advice="Look at `dim1` again.",
)


def exercise(name: str, status: str, text: str = "", comparison: Comparison | None = None, **more: Any) -> Any:
    tests = [TestResult("keeps the offset", "passed", 1, 1)] if status == "failed" else []
    points = 1.0 if status in ("passed", "failed") else 0.0
    tests.append(TestResult("swaps the shape", status, points, 1, text or None, 12, comparison))
    if status == "failed":
        tests.append(TestResult("stays on the GPU", "not_assessed", 0, 0, "it needs a CUDA GPU"))
    missing = 1.0 if status == "failed" else 0.0
    title = f"About {name}"
    return ExerciseResult(f"tensors/views/{name}", title, status, points, 2, missing, 0.01, tuple(tests), **more)


COURSE = Course(
    (
        Lesson(
            "tensors",
            "views",
            "Views: one storage, many shapes",
            1,
            (Exercise("tensors", "views", "wrong", "About wrong", 2, "core", 10, (), ("a", "b", "c"), ("wrong",)),),
        ),
    )
)
RESULT = Result(
    submission="exercises",
    isolation="sandbox",
    seed=1234,
    torch="2.14.1",
    gpu=None,
    exercises=(
        exercise("right", "passed"),
        exercise("wrong", "failed", "the result has `wrong` values", WRONG, output="my print\n"),
        exercise("raises", "error", "it raised ValueError: no"),
        exercise("slow", "timeout", "no answer within 10 seconds"),
        exercise("gone", "crashed", "Python was ended by SIGKILL"),
        exercise("later", "not_attempted", "`later` is not written yet"),
    ),
    remarks=("views.ipynb, as views.py is there too",),
)


def hostile(text: str) -> Result:
    bad = dataclasses.replace(
        WRONG,
        called=text,
        inputs={text or "x": text},
        got=shown([[text, "1"]], text=text),
        expected=shown([["2", "1"]], kind=text),
        advice=text,
    )
    mine = dataclasses.replace(
        exercise("wrong", "failed", text, bad, output=f"{text}\n{text}", misconception=text), title=text
    )
    return dataclasses.replace(
        RESULT, submission=text, torch=text, gpu=text, isolation_note=text, remarks=(text,), exercises=(mine,)
    )


class Visit:
    """A page that was opened; what it asked for and complained of."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path.as_uri())

    def overflow(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def findings(self, within: str | None = None) -> list[str]:
        """Serious and critical findings of axe, in all of the page or within what a selector finds."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright")
        found = axe.Axe().run(self.page, context=within).response["violations"]
        return [
            f"{entry['id']}: {node['html'][:200]} {node.get('failureSummary')}"
            for entry in found
            if entry["impact"] in ("serious", "critical")
            for node in entry["nodes"]
        ]


Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    contexts = []

    def visit(html: str, width: int = 1200, scheme: Any = "light") -> Visit:
        path = tmp_path / f"report-{len(contexts)}.html"
        path.write_text(html, encoding="utf-8")
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme))
        return Visit(contexts[-1].new_page(), path)

    yield visit
    for context in contexts:
        context.close()


def opened(page: Page, name: str) -> Any:
    """The part of the page on one exercise."""
    return page.locator("details", has=page.locator(f"#e-tensors-views-{name}"))


# What it says


def test_the_page_says_what_came_of_each_exercise_and_what_to_do(visit: Open) -> None:
    page = visit(render("html", RESULT, COURSE, {"tensors/views/wrong": 2})).page
    assert page.title() == "16.67 % - exercises"
    assert page.locator("header strong").inner_text() == "2 of 12 points"
    counts = list(page.locator("header li").all_inner_texts())
    assert counts == ["1 passed", "1 failed", "1 raised an error", "1 ran too long", "1 crashed", "1 not attempted"]
    next_step = page.locator("section.next").inner_text()
    assert "tensors/views/wrong: About wrong" in next_step
    assert "The result has wrong values." in next_step
    assert "exercises/tensors/views.py" in next_step
    assert "make grade EXERCISE=wrong" in next_step
    assert "3 hints (2 taken)" in " ".join(next_step.split())
    assert page.locator(".topics tbody tr").inner_text().split("\t")[:3] == ["tensors", "1 of 6", "2 of 12"]
    wrong = opened(page, "wrong")
    assert wrong.evaluate("e => e.open")
    text = " ".join(wrong.inner_text().split())
    for said in (
        "The result has wrong values.",
        "transpose_view(t, 0, 1)",
        "tensor(shape=(3, 2), float32)",
        "3 of 6 elements differ, most of all at [1, 1]",
        "Look at dim1 again.",
        "my print",
        "Core, about 10 minutes. 3 hints, 2 taken.",
        "tensors/views.py, line 12",
    ):
        assert said in text
    assert not opened(page, "later").evaluate("e => e.open")
    left_out = " ".join(page.locator("main > section", has=page.locator("#left-out")).inner_text().split())
    assert "1 point, out of the maximum: It needs a CUDA GPU. tensors/views/wrong." in left_out
    assert "Left out: views.ipynb, as views.py is there too." in left_out
    foot = page.locator("footer").inner_text()
    assert "sandbox" in foot
    assert "--seed 1234" in foot


def test_a_link_leads_to_the_exercise(visit: Open) -> None:
    page = visit(render("html", RESULT, COURSE)).page
    opened(page, "wrong").evaluate("e => e.open = false")
    page.locator("section.next a").click()
    assert page.evaluate("document.querySelector(':target').id") == "e-tensors-views-wrong"
    assert opened(page, "wrong").evaluate("e => e.open")


def test_everything_can_be_reached_and_opened_by_keyboard(visit: Open) -> None:
    page = visit(render("html", RESULT, COURSE)).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('details')?.querySelector('.inside').id ?? ''"))
        if "e-tensors-views-later" in reached:
            break
    page.keyboard.press("Enter")
    assert opened(page, "later").evaluate("e => e.open")
    assert len(reached - {""}) == len(RESULT.exercises)


@pytest.mark.parametrize("submission", ["class/ada", "views.ipynb", "exercises/notebooks"])
def test_no_file_is_named_that_the_submission_may_not_have(submission: str) -> None:
    html = render("html", dataclasses.replace(RESULT, submission=submission), COURSE)
    assert "exercises/tensors" not in html
    assert "It is in the lesson <code>tensors/views</code>." in html


def test_a_perfect_result_says_so(visit: Open) -> None:
    perfect = dataclasses.replace(RESULT, exercises=(exercise("right", "passed"),), remarks=())
    page = visit(render("html", perfect, COURSE)).page
    assert page.locator("section.next h2").inner_text() == "All done"
    assert not page.locator("#left-out").count()


def test_a_level_below_the_sandbox_is_said_with_its_reason() -> None:
    result = dataclasses.replace(RESULT, isolation="process", isolation_note="no user namespaces here")
    assert "No user namespaces here." in render("html", result, COURSE)


def test_hints_taken_are_named_only_where_they_are_known() -> None:
    assert "taken" not in render("html", RESULT, COURSE)
    assert "0 taken" in render("html", RESULT, COURSE, {})


def test_public_checks_are_no_grade_and_the_page_says_so() -> None:
    perfect = dataclasses.replace(RESULT, exercises=(exercise("right", "passed"),), checks="public")
    html = render("html", perfect, COURSE)
    assert "Public checks only" in html
    assert "All public checks pass." in html
    assert "Public checks only" not in render("html", RESULT, COURSE)


# Heat maps


def test_heat_maps_show_got_expected_and_difference(visit: Open) -> None:
    page = visit(render("html", RESULT, COURSE)).page
    maps = opened(page, "wrong").locator(".heat")
    assert list(maps.locator("figcaption").all_inner_texts()) == ["got", "expected", "difference"]
    cells = [maps.nth(i).locator("tbody td").all_inner_texts() for i in range(3)]
    assert [c.split("\n")[0].split()[0] for c in cells[0]] == ["1", "2", "nan", "4", "-5", "inf"]
    assert cells[1] == ["1", "2", "3", "4", "5", "6"]
    assert cells[2] == ["·", "·", "?", "·", "-10", "+inf"]
    assert maps.nth(0).locator("td.worst").inner_text().split() == ["-5", "worst"]
    assert maps.nth(0).locator("td.odd").inner_text().split()[0] == "nan"
    colours = maps.nth(1).locator("tbody td").evaluate_all("all => all.map(e => getComputedStyle(e).backgroundColor)")
    assert len(set(colours)) == len(colours)
    assert [" ".join(text.split()) for text in maps.locator(".legend").all_inner_texts()] == ["-5 6", "-5 6", "-10 10"]
    assert maps.nth(0).locator("caption").text_content() == "got: 2 by 3 elements from -5 to 6, 1 not a number"
    assert maps.nth(2).locator("caption").text_content().endswith("3 of the 6 elements shown differ, by at most 10")


def test_a_large_tensor_is_shown_close_by_and_whole(visit: Open) -> None:
    picture = [[float(i * j) for j in range(32)] for i in range(28)]
    picture[20][20] = None
    near = [[str(i * j) for j in range(12, 20)] for i in range(16, 24)]
    other = [[str(i * j + (i == j)) for j in range(12, 20)] for i in range(16, 24)]
    large = dataclasses.replace(
        WRONG,
        got=shown(near, picture, shape=(28, 32)),
        expected=shown(other, [[float(i * j) for j in range(32)] for i in range(28)], shape=(28, 32)),
        near_start=(16, 12),
        worst=(20, 20),
    )
    result = dataclasses.replace(RESULT, exercises=(exercise("wrong", "failed", "wrong", large),))
    page = visit(render("html", result, COURSE)).page
    first = page.locator(".grid").first
    assert first.locator("thead th").all_inner_texts() == [str(j) for j in range(12, 20)]
    assert first.locator("tbody th").all_inner_texts() == [str(i) for i in range(16, 24)]
    whole = page.locator("svg.whole")
    assert whole.count() == 3
    assert whole.first.get_attribute("aria-label") == "got: 28 by 32 elements from 0 to 837, 1 not a number"
    covered = whole.first.evaluate("e => [...e.children].reduce((n, r) => n + r.width.baseVal.value, 0)")
    assert covered == 28 * 32


@pytest.mark.parametrize(
    ("got", "expected", "difference"),
    [
        ([["True", "False"]], [["True", "True"]], ["·", "-1"]),
        ([["(1+2j)", "0j"]], [["(1+2j)", "(3+4j)"]], ["·", "-5"]),
        ([["1e308", "-1e308"]], [["-1e308", "-1e308"]], ["+inf", "·"]),
        ([["nan", "inf", "-inf"]], [["nan", "inf", "inf"]], ["·", "·", "-inf"]),
        ([["nan", "1"]], [["nan", "1"]], None),
        ([["nan"]], [["1"]], None),
        ([["text"]], [["1"]], None),
        ([["7"]], [["7"]], None),
        ([["1", "2"]], [["1"], ["2"]], None),
        ([], [["1"]], None),
    ],
)
def test_differences_of_odd_values(got: list[list[str]], expected: list[list[str]], difference: Any) -> None:
    sides = {"got": shown(got) if got else None, "expected": shown(expected)}
    maps = {map.title: map for map in compared(dataclasses.replace(WRONG, **sides)).close}
    found = [cell.text for _, row in maps["difference"].rows for cell in row] if "difference" in maps else None
    assert found == difference
    for map in maps.values():
        for _, row in map.rows:
            assert all(re.fullmatch(r"odd|[qd](\d|10)", cell.tone) for cell in row)


def test_text_on_every_colour_of_a_heat_map_can_be_read() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    rules = re.findall(r"background: (#\w{6}); fill: #\w{6}; color: (#\w{3});", palette())
    assert len(rules) == 22
    for paper, ink in rules:
        light, dark = sorted([luminance(paper), 0.0 if ink == "#000" else 1.0], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, paper


def test_without_inputs_no_value_is_left() -> None:
    from grader.result import for_learners

    html = render("html", for_learners(RESULT), COURSE)
    assert "tensor(shape=(3, 2), float32)" not in html
    assert '<table class="grid"' not in html
    assert "shape (2, 3), float32" in html


# What it never does


@pytest.mark.parametrize("name", HOSTILE)
def test_a_strangers_text_stays_text(name: str, visit: Open) -> None:
    text = HOSTILE[name]
    html = render("html", hostile(text), COURSE)
    html.encode("utf-8")
    seen = visit(html, width=360)
    page = seen.page
    assert seen.complaints == []
    assert [url.rsplit("/", 1)[1] for url in seen.requests] == ["report-0.html"]
    assert page.evaluate("window.hacked === undefined")
    assert page.locator("#hacked, script, img, iframe, [onclick], [onmouseover], [onerror], [style], b").count() == 0
    assert set(page.locator("a").evaluate_all("all => all.map(a => a.getAttribute('href')[0])")) == {"#"}
    assert "49" not in page.locator("h1").inner_text()
    assert seen.overflow() <= 0
    assert page.locator("footer h2").inner_text() == "How this was graded"


def test_the_page_holds_one_style_that_its_policy_allows_and_nothing_else(visit: Open) -> None:
    seen = visit(render("html", RESULT, COURSE))
    policy = seen.page.locator("meta[http-equiv]").get_attribute("content")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert seen.complaints == []
    assert seen.page.evaluate("getComputedStyle(document.querySelector('.card')).borderRadius") != "0px"
    seen.page.evaluate("document.body.append(Object.assign(document.createElement('style'), {textContent: 'x{}'}))")
    assert any("Content Security Policy" in complaint for complaint in seen.complaints)


def test_the_real_course_makes_a_page_of_modest_size(visit: Open) -> None:
    course = load_course()
    results = tuple(
        ExerciseResult(e.id, e.title, "failed", 0, e.points, 0, 0.1, (TestResult("x", "failed", 0, 1, "no", 1, WRONG),))
        for e in course.exercises
    )
    html = render("html", dataclasses.replace(RESULT, exercises=results))
    assert len(html) < 600_000
    page = visit(html).page
    assert page.locator("details.exercise").count() == len(course.exercises)
    assert page.locator("details[open]").count() == 1
    assert page.locator("summary .said").last.is_visible()
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


# For whom it can be read


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
def test_no_serious_finding_of_axe(scheme: str, width: int, visit: Open) -> None:
    seen = visit(render("html", RESULT, COURSE, {}), width, scheme)
    seen.page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert seen.findings() == []
    assert seen.overflow() <= 0


def test_axe_would_find_something(visit: Open) -> None:
    html = render("html", RESULT, COURSE).replace('lang="en"', "").replace("--quiet: #565e6b", "--quiet: #ccc")
    html = re.sub(r"style-src '[^']*'", "style-src 'unsafe-inline'", html)
    assert any("color-contrast" in finding for finding in visit(html).findings())


def test_dark_is_dark_and_print_is_light_and_whole(visit: Open) -> None:
    page = visit(render("html", RESULT, COURSE), scheme="dark").page
    paper = "getComputedStyle(document.body).backgroundColor"
    assert max(map(int, re.findall(r"\d+", page.evaluate(paper)))) < 60
    page.emulate_media(media="print")
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    hidden = "getComputedStyle(document.querySelector('details.not_attempted'), '::details-content').contentVisibility"
    assert page.evaluate(hidden) == "visible"
    assert page.pdf()[:5] == b"%PDF-"
