"""The report page in a real browser: headless Chromium, driven by Selenium, where both are there.

``pip install selenium``, and Debian's packages chromium and chromium-driver.
"""

import base64
import io
import itertools
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import cKDTree

from exercises.explorer import STEPS, blend

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.wait import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("needs chromium and chromedriver", allow_module_level=True)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


class Tab:
    """A browser with the page open, and short names for what the tests do with it."""

    def __init__(self, page, profile, width, height):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options, Service(DRIVER))
        self.emulate("DeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=2 if width < 500 else 1, mobile=width < 500)  # fmt: skip
        self.emulate("TouchEmulationEnabled", enabled=width < 500)
        self.colours("light")
        self.page = page
        self.open()

    def open(self):
        self.driver.get(self.page.as_uri())
        self.wait(lambda: self.run("return document.querySelector('.who').textContent"))

    def emulate(self, what, **parameters):
        self.driver.execute_cdp_cmd(f"Emulation.set{what}", parameters)

    def colours(self, scheme, media=""):
        features = [{"name": "prefers-color-scheme", "value": scheme},
                    {"name": "prefers-reduced-motion", "value": "reduce"}]  # fmt: skip
        self.emulate("EmulatedMedia", media=media, features=features)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition):
        WebDriverWait(self.driver, 20).until(lambda _: condition())

    def find(self, selector, number=0):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)[number]

    def show(self, element):
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        return element

    def seen(self, selector):
        return [e.is_displayed() for e in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def pixels(self, panel, canvas):
        """Grey values of a canvas of a panel."""
        uri = self.run("return arguments[0].toDataURL()", self.find(canvas, panel))
        rgba = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
        assert (rgba[..., :3] == rgba[..., :1]).all()
        assert (rgba[..., 3] == 255).all()
        return rgba[..., 0].astype(int)

    def point(self, panel, right, up):
        """Move a pointer, finer than a mouse can, to a place of a plane, 0 to 1."""
        script = """const [svg, right, up] = arguments;
            const {left, bottom, width, height} =
                svg.querySelector(".field").getBoundingClientRect();
            svg.dispatchEvent(new PointerEvent("pointermove",
                {clientX: left + right * width, clientY: bottom - up * height}));"""
        self.run(script, self.find(".plane svg", panel), right, up)

    def box(self, element):
        return self.run("return arguments[0].getBoundingClientRect().toJSON()", element)

    def said(self, panel):
        """The code, the label of the nearest digit and its distance, as they stand there."""
        code = json.loads(self.find(".place", panel).text.replace("(", "[").replace(")", "]"))
        _, label, distance, _ = self.find(".who", panel).text.replace(",", "").split()
        return code, int(label), float(distance)


def tab_of(width, height):
    """A fixture: the page in a window of that size."""

    @pytest.fixture(scope="module")
    def tab(page, tmp_path_factory):
        opened = Tab(page, tmp_path_factory.mktemp("profile"), width, height)
        yield opened
        opened.driver.quit()

    return tab


laptop = tab_of(1280, 800)
phone = tab_of(390, 844)


@pytest.fixture(params=["laptop", "phone"])
def tab(request):
    return request.getfixturevalue(request.param)


def test_page_is_as_wide_as_the_window(tab):
    tab.open()
    widths = "const {scrollWidth, clientWidth} = document.documentElement;"
    assert tab.run(f"{widths} return scrollWidth <= clientWidth")
    tab.run("for (const details of document.querySelectorAll('details')) details.open = true")
    assert tab.run(f"{widths} return scrollWidth <= clientWidth")
    tab.open()


@pytest.mark.parametrize("panel", [0, 1])
def test_pointer_shows_drawing_and_nearest_digit(tab, explorer, panel):
    plane = explorer.planes[panel]
    tree = cKDTree(np.round(plane.codes.astype(float), 4))
    nodes = [(3 / (STEPS - 1), 31 / (STEPS - 1)), (0, 1), (1, 0), (20 / (STEPS - 1), 0.0)]
    between = [tuple(place) for place in np.random.default_rng(panel).random((8, 2))]
    for right, up in nodes + between:
        tab.point(panel, right, up)
        drawn = tab.pixels(panel, ".drawn")
        place = np.array([[right, up]])
        assert np.abs(drawn - blend(plane.drawings, place)[0]).max() <= 0.51  # rounding
        code, label, distance = tab.said(panel)
        wanted = plane.low + place[0] * (plane.high - plane.low)
        np.testing.assert_allclose(code, wanted, atol=0.006)
        true_distance, nearest = tree.query(wanted)
        assert distance == pytest.approx(true_distance, abs=0.006)
        assert label == explorer.labels[nearest]
        np.testing.assert_array_equal(tab.pixels(panel, ".nearest"), explorer.digits[nearest])
    i, j = 31, 3
    tab.point(panel, *nodes[0])
    np.testing.assert_array_equal(tab.pixels(panel, ".drawn"), plane.drawings[i, j])


def test_mouse_moves_the_cross(laptop, explorer):
    svg = laptop.show(laptop.find(".plane svg", 1))
    before, field = laptop.said(1), laptop.find(".plane svg .field", 1)
    ActionChains(laptop.driver).move_to_element_with_offset(field, 90, -40).perform()
    code, _, _ = laptop.said(1)
    assert code != before[0]
    box = laptop.box(field)
    plane = explorer.planes[1]
    middle, size = (plane.low + plane.high) / 2, plane.high - plane.low
    moved = np.array([90 / box["width"], 40 / box["height"]])
    np.testing.assert_allclose(code, middle + moved * size, atol=0.02 * size[0])
    cross, ring = svg.find_element(By.CLASS_NAME, "cross"), laptop.find(".ring", 1)
    assert cross.get_attribute("transform") != ring.get_attribute("transform")


def test_finger_moves_the_cross(phone):
    field = phone.show(phone.find(".plane svg .field", 0))
    before = phone.said(0), phone.pixels(0, ".drawn").tolist()
    box = phone.box(field)
    point = {"x": box["left"] + 0.2 * box["width"], "y": box["top"] + 0.3 * box["height"]}
    touch = "Input.dispatchTouchEvent"
    phone.driver.execute_cdp_cmd(touch, {"type": "touchStart", "touchPoints": [point]})
    first = phone.said(0)
    assert (first, phone.pixels(0, ".drawn").tolist()) != before
    scrolled = phone.run("return scrollY")
    moved = {"x": point["x"] + 40, "y": point["y"] + 120}
    phone.driver.execute_cdp_cmd(touch, {"type": "touchMove", "touchPoints": [moved]})
    phone.driver.execute_cdp_cmd(touch, {"type": "touchEnd", "touchPoints": []})
    assert phone.said(0)[0][0] > first[0][0]
    assert phone.said(0)[0][1] < first[0][1]
    assert phone.run("return scrollY") == scrolled  # the finger explores, the page stands still


def test_arrow_keys_move_the_cross_and_are_announced(laptop, explorer):
    plane = explorer.planes[0]
    laptop.point(0, 0.5, 0.5)
    svg = laptop.find(".plane svg", 0)
    laptop.run("arguments[0].focus()", svg)
    scrolled = laptop.run("return scrollY")
    svg.send_keys(Keys.ARROW_RIGHT * 4, Keys.ARROW_UP * 2, Keys.SHIFT + Keys.ARROW_LEFT)
    place = np.array([0.5 + 4 * 0.025 - 0.005, 0.5 + 2 * 0.025])
    code, label, _ = laptop.said(0)
    np.testing.assert_allclose(code, plane.low + place * (plane.high - plane.low), atol=0.006)
    expected = blend(plane.drawings, place[None])[0]
    assert np.abs(laptop.pixels(0, ".drawn") - expected).max() <= 0.51
    assert laptop.run("return scrollY") == scrolled
    status = laptop.find("#explorer-status")
    laptop.wait(lambda: f"nearest training digit: a {label}" in status.get_attribute("textContent"))
    svg.send_keys(Keys.ARROW_LEFT * 60)
    assert laptop.said(0)[0][0] == pytest.approx(plane.low[0], abs=0.006)  # and not beyond


def test_nearest_digit_is_ringed_in_both_planes(laptop, explorer):
    laptop.point(0, 0.3, 0.6)
    plane = explorer.planes[0]
    wanted = plane.low + np.array([0.3, 0.6]) * (plane.high - plane.low)
    nearest = np.hypot(*(plane.codes - wanted).T).argmin()
    for panel, shown in enumerate(explorer.planes):
        x, y = (shown.codes[nearest] - shown.low) / (shown.high - shown.low)
        transform = laptop.find(".ring", panel).get_attribute("transform")
        found = np.array(transform.removeprefix("translate(").removesuffix(")").split(), float)
        np.testing.assert_allclose(found, [1000 * x, 1000 * (1 - y)], atol=0.2)


def test_one_digit_can_be_shown_alone(laptop):
    button = laptop.show(laptop.find(".digit", 4))
    button.click()
    pale = "return [...Array(10).keys()].filter(d => document.querySelector(`.dots.d${d}.pale`))"
    assert laptop.run(pale) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert laptop.run(pale) == []


@pytest.mark.parametrize("by_key", [False, True])
def test_figures_enlarge_and_escape_closes(tab, by_key):
    picture, dialog = tab.show(tab.find(".picture", 5)), tab.find("dialog")
    width = picture.size["width"]
    assert not dialog.is_displayed()
    if by_key:
        tab.find(".enlarge", 5).send_keys(Keys.ENTER)
    else:
        picture.click()
    large = tab.find("dialog img")
    assert dialog.is_displayed()
    assert large.get_attribute("src") == picture.get_attribute("src")
    assert large.get_attribute("alt") == picture.get_attribute("alt")
    assert large.size["width"] > width
    tab.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed()
    assert tab.run("return document.activeElement") == tab.find(".enlarge", 5)


def test_theme_changes_and_is_remembered(tab):
    ground = "return getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(20, 23, 28)"
    assert tab.run(ground) == light
    tab.colours("dark")
    assert tab.run(ground) == dark
    button = tab.find("#theme")
    for text, colour in (("Light", light), ("Dark", dark)):
        assert button.text == text
        button.click()
        assert tab.run(ground) == colour
    tab.colours("light")
    assert tab.run(ground) == dark
    tab.open()
    assert tab.run(ground) == dark
    tab.run("localStorage.clear()")
    tab.open()
    assert tab.run(ground) == light


def test_contents_follow_the_reader(tab):
    current = "return [...document.querySelectorAll('nav .current > a')].map(a => a.hash)"
    tab.run("document.querySelector('#separation_test').scrollIntoView()")
    tab.wait(lambda: tab.run(current) == ["#exercise-image_separation"])
    folded = tab.find("nav ol")
    assert folded.is_displayed() == (tab.run("return innerWidth") > 1000)
    if not folded.is_displayed():
        tab.find("nav summary").click()
    tab.find("nav a[href='#exercise-ex02_latent_space']").click()
    tab.wait(lambda: tab.run(current) == ["#exercise-ex02_latent_space"])
    assert folded.is_displayed() == (tab.run("return innerWidth") > 1000)


def test_paper_has_no_controls_and_is_white(laptop):
    laptop.colours("dark", media="print")
    try:
        assert not any(itertools.chain(*map(laptop.seen, ("nav", "button.digit", "summary"))))
        assert all(laptop.seen(".picture"))
        script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
        assert laptop.run(script, "body", "backgroundColor") == "rgb(255, 255, 255)"
        assert laptop.run(script, "body", "color") == "rgb(28, 33, 40)"
        assert laptop.run(script, ".picture", "filter") == "none"
    finally:
        laptop.colours("light")


def test_page_is_whole_without_scripts(laptop):
    laptop.emulate("ScriptExecutionDisabled", value=True)
    try:
        laptop.driver.get(laptop.page.as_uri())
        assert not any(itertools.chain(*map(laptop.seen, ("#theme", ".plane svg", ".digit"))))
        assert all(laptop.seen(".sprite"))
        assert all(laptop.seen(".picture"))
        assert all(laptop.seen("nav li a"))
    finally:
        laptop.emulate("ScriptExecutionDisabled", value=False)
        laptop.open()


def test_page_complains_of_nothing_and_asks_for_nothing(tab):
    """After all that the other tests have done with it."""
    tab.open()
    assert tab.driver.get_log("browser") == []
    page = tab.page.as_uri()
    messages = [json.loads(e["message"])["message"] for e in tab.driver.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    asked = {s["request"]["url"] for s in sent if s["documentURL"].partition("#")[0] == page}
    assert page in asked
    assert {url for url in asked - {page} if not url.startswith(("data:", "blob:"))} == set()


def test_policy_stops_what_does_not_belong_to_the_page(laptop):
    laptop.open()
    script = """window.stopped = [];
        addEventListener("securitypolicyviolation", (e) => stopped.push(e.effectiveDirective));
        new Image().src = "https://example.invalid/x.png";
        const script = document.createElement("script");
        script.text = "stopped = 0";
        document.body.append(script);
        document.body.setAttribute("style", "color: red");"""
    laptop.run(script)
    wanted = ["img-src", "script-src-elem", "style-src-attr"]
    laptop.wait(lambda: sorted(laptop.run("return stopped")) == wanted)
    laptop.open()
    laptop.driver.get_log("browser")  # complaints that were wanted
