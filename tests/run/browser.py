# SPDX-License-Identifier: MIT
"""
A page of the project in a real browser without a window: Debian's Chromium, driven
by its chromedriver over W3C's WebDriver protocol (JSON over HTTP).

    with Browser(directory) as browser:
        browser.open("file:///...")
        browser.run("return document.title")
        browser.wait("return window.ready")
        browser.screenshot("page.png")

An error that a page writes to the console, or throws without catching it, fails the
test at its end (`complaints()`), so a page that is broken in a place where the test
does not look is noticed, too.
"""

import base64
import contextlib
import json
import os
import re
import shutil
import urllib.error
import urllib.request

from machine import Failure, Machine, wait_until

STARTED = re.compile(r"started successfully on port (\d+)")
SIZE = (1280, 800)


def is_installed():
    return all(shutil.which(name) for name in ("chromium", "chromedriver"))


class Browser(Machine):
    def __init__(self, directory, size=SIZE, dark=False):
        super().__init__("browser", directory)
        self._size = size
        self._dark = dark
        self._session = None
        self._reported = []

    def __enter__(self):
        self.launch(
            ["chromedriver", "--port=0"],
            # Its profile lies in the test's directory.
            env=dict(os.environ, HOME=os.path.abspath(self.directory)),
        )
        try:
            self._begin_session()
        except BaseException:
            self.kill()
            raise
        return self

    def _begin_session(self):
        port = wait_until(
            lambda: STARTED.search(self.output()),
            lambda: f"chromedriver does not start: {self.output()}",
        )[1]
        self._base = f"http://127.0.0.1:{port}/session"
        self._session = self._call("POST", "", self._wanted())["sessionId"]
        self._set_size()

    def __exit__(self, *exception):
        try:
            if exception[0] is None:
                self._fail_on_complaints()
        finally:
            with contextlib.suppress(OSError, Failure):
                self._call("DELETE", "")
            super().__exit__(*exception)
        return False

    def _wanted(self):
        words = [
            "--headless=new",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
        ]
        if os.geteuid() == 0:
            words.append("--no-sandbox")
        if self._dark:
            words.append("--blink-settings=preferredColorScheme=0")
        return {
            "capabilities": {
                "alwaysMatch": {
                    "browserName": "chrome",
                    "goog:chromeOptions": {"args": words},
                    "goog:loggingPrefs": {"browser": "ALL"},
                }
            }
        }

    def _set_size(self):
        """The page's own size, which the window's words are not about."""
        metrics = {
            "width": self._size[0],
            "height": self._size[1],
            "deviceScaleFactor": 1,
            "mobile": False,
        }
        command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics}
        self._call("POST", "/goog/cdp/execute", command)

    def _call(self, method, path, body=None):
        """The driver's answer; its error is a Failure."""
        url = self._base + (f"/{self._session}" if self._session else "") + path
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(url, data, method=method)
        request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=600) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise Failure(f"{value['error']}: {value['message']}") from None

    def open(self, url):
        """Load the page and wait until its load event is over."""
        self._call("POST", "/url", {"url": url})

    def open_file(self, path, anchor=""):
        self.open("file://" + os.path.abspath(path) + anchor)

    def run(self, script, *arguments):
        """The result of the JavaScript function with this body."""
        body = {"script": script, "args": list(arguments)}
        return self._call("POST", "/execute/sync", body)

    def wait(self, script, *arguments):
        """Run it until it returns something true, and return that."""
        return wait_until(
            lambda: self.run(script, *arguments),
            lambda: f"the page never answers {script!r}: {self.complaints()}",
        )

    def element(self, selector):
        body = {"using": "css selector", "value": selector}
        return next(iter(self._call("POST", "/element", body).values()))

    def click(self, selector):
        self._call("POST", f"/element/{self.element(selector)}/click")

    def type(self, selector, text):
        """As from the keyboard, at the end of what the field has."""
        where = f"/element/{self.element(selector)}/value"
        self._call("POST", where, {"text": text})

    def key(self, *keys):
        """Press and release each, whatever has the focus; "\\ue012" and the like
        are WebDriver's names of special keys."""
        actions = [
            {"type": kind, "value": key}
            for key in keys
            for kind in ("keyDown", "keyUp")
        ]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self._call("POST", "/actions", {"actions": [source]})

    def move_to(self, x, y):
        """The pointer, in pixels of the page."""
        move = {"type": "pointerMove", "x": int(x), "y": int(y), "duration": 0}
        source = {"type": "pointer", "id": "mouse", "actions": [move]}
        self._call("POST", "/actions", {"actions": [source]})

    def screenshot(self, name):
        """The window as a PNG in the test's directory; returns its path."""
        path = self.file(name)
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("GET", "/screenshot")))
        return path

    def complaints(self):
        """The errors and warnings that the page has written so far."""
        for entry in self._call("POST", "/se/log", {"type": "browser"}):
            if entry["level"] in ("SEVERE", "WARNING"):
                self._reported.append(entry["message"])
        return self._reported

    def _fail_on_complaints(self):
        if self.complaints():
            raise Failure("the page complains: " + "; ".join(self._reported))
