//go:build browser

package page

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A report must be readable on a telephone and on a desk.
const (
	phoneWidth, phoneHeight = 390, 844
	deskWidth, deskHeight   = 1100, 900
	// patience bounds all that one test does in the browser. Chromium starts in 1 to 5 s.
	patience = time.Minute
)

// tab is a page in a real browser, with what it asked for and what it complained about.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // A tab is its context: chromedp finds the browser by it.

	mu         sync.Mutex
	requests   []string
	complaints []string
}

// openTab opens an address in a browser of its own.
func openTab(t *testing.T, address string) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	x := &tab{t: t}
	x.ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(x.note))
	t.Cleanup(cancel)
	if err := chromedp.Do(x.ctx); err != nil {
		t.Fatalf("no browser starts: %v\nnext: apt-get install -y --no-install-recommends chromium, or put another Chromium or Chrome on PATH", err)
	}
	x.do(chromedp.EmulateViewport(deskWidth, deskHeight), chromedp.Navigate(address))
	return x
}

// note keeps what the browser tells of the page.
func (x *tab) note(event any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		x.requests = append(x.requests, e.Request.URL)
	case *network.EventWebSocketCreated:
		x.requests = append(x.requests, e.URL)
	case *log.EventEntryAdded:
		x.complaints = append(x.complaints, e.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		x.complaints = append(x.complaints, fmt.Sprint("console: ", e.Args))
	case *runtime.EventExceptionThrown:
		x.complaints = append(x.complaints, e.ExceptionDetails.Text)
	}
}

func (x *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	x.t.Helper()
	if err := chromedp.Do(x.ctx, actions...); err != nil {
		x.t.Fatal(err)
	}
}

// value is what an expression of JavaScript gives on the page.
func value[T any](x *tab, expression string) T {
	x.t.Helper()
	v, err := chromedp.Run(x.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		x.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// shown is the text that is visible in the first element, one space for all white space.
func (x *tab) shown(selector string) string {
	x.t.Helper()
	return strings.Join(strings.Fields(value[string](x, fmt.Sprintf("document.querySelector(%q).innerText", selector))), " ")
}

// clickAll clicks every element in the order of the page.
func (x *tab) clickAll(selector string) int {
	x.t.Helper()
	nodes, err := chromedp.Run(x.ctx, chromedp.Nodes(chromedp.CSSAll(selector)))
	if err != nil {
		x.t.Fatal(err)
	}
	for _, n := range nodes {
		x.do(chromedp.MouseClickNode(n))
	}
	return len(nodes)
}

// scheme makes the page believe that its reader likes it light or dark.
func (x *tab) scheme(name string) {
	x.t.Helper()
	if _, err := chromedp.Call(x.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	}); err != nil {
		x.t.Fatal(err)
	}
}

// heard gives what the page asked for and complained about so far.
func (x *tab) heard() (requests, complaints []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.requests), slices.Clone(x.complaints)
}

func address(file string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String()
}

func TestBrowserShowsThePage(t *testing.T) {
	file := filepath.Join(writeExample(t), FileName)
	x := openTab(t, address(file))
	if got, want := value[string](x, "document.title"), "shop: failed — 20261126-120000-shop"; got != want {
		t.Errorf("the title is %q, want %q", got, want)
	}
	if got, want := value[[]string](x, "[...document.querySelectorAll('h2')].map(h => h.innerText)"),
		[]string{"Why it failed", "Failed specs", "Phases", "Specs", "Coverage", "Images", "Earlier runs", "Environment"}; !slices.Equal(got, want) {
		t.Errorf("the headings are %q, want %q", got, want)
	}
	const folds = "details[open]"
	if n := value[int](x, "document.querySelectorAll('"+folds+"').length"); n != 0 {
		t.Errorf("%d folds are open at first", n)
	}
	if n, open := x.clickAll("summary"), value[int](x, "document.querySelectorAll('"+folds+"').length"); n != 6 || open != n {
		t.Errorf("of %d folds %d are open after a click on each, want 6", n, open)
	}
	for selector, want := range map[string]string{
		"h1":        "✗ failed · shop",
		"h1 + .dim": "20261126-120000-shop · started 2026-11-26 12:00:00 UTC",
		".facts":    "in all 2 m 26 s set-up 1 m 12 s tests 1 m 06 s specs 3 passed, 1 failed, 1 skipped coverage 66.7 %",
		"pre.error": "1 of 5 specs failed Orders are refused when the signature is stale",
		"p:has(b.failed)": "✗ Orders are refused when the signature is stale failed after 4.1 s, " +
			"/home/someone/a/rather/long/path/to/the/checkout/of/shop/test/e2e/shop/signature_test.go:42",
		"#specs": "spec time ✗ failed Orders are refused when the signature is stale 4.1 s ✓ passed Orders are answered within 200 ms 1 m 01 s " +
			"✓ passed Orders survive a restart of the database 12.3 s ✓ passed Carts are merged at login 0.8 s – skipped Carts expire 0.0 s",
		"#coverage":          "package statements covered cmd/shop 4 of 4 100.0 % pkg/shop/orders 2 of 5 40.0 %",
		".wide ~ div.failed": "✗ pkg/shop has 40.0 %, at least 70.0 % wanted",
		"[id='cmd/shop']":    "main.go 100.0 % package main func main() { serve() }",
		"#images": "image key size security updates shop fdb1d853c7ac241f 131 MB 2026-11-26, 12 h old built in 38.2 s: no image had this key " +
			"postgresql 4b3ca84dd725bee4 412 MB 2026-11-26, 12 h old cached: an image had this key",
		"#earlier":     "run set-up tests in all 20261124-120000-shop 1 m 35 s 1 m 10 s 2 m 57 s 20261125-120000-shop 1 m 23 s 1 m 14 s 2 m 49 s",
		"#environment": "commit 1f0c6a2b9d3e-dirty engine docker 20.10.24 system linux/amd64, kernel 6.1.0-37-cloud-amd64 processors 2",
	} {
		if got := x.shown(selector); got != want {
			t.Errorf("%s shows\n%q, want\n%q", selector, got, want)
		}
	}
	if requests, complaints := x.heard(); !slices.Equal(requests, []string{address(file)}) || complaints != nil {
		t.Errorf("requests %q, complaints %q", requests, complaints)
	}
}

func TestBrowserFollowsTheLinks(t *testing.T) {
	dir := writeExample(t)
	report := address(filepath.Join(dir, FileName))
	x := openTab(t, report)

	// A package leads to its sources, which unfold for it.
	x.do(chromedp.Click(chromedp.CSS("a[href='#pkg%2fshop%2forders']")))
	if got, want := x.shown("[id='pkg/shop/orders']"), "refuse.go 40.0 %"; got != want {
		t.Errorf("a click on the package shows %q, want %q", got, want)
	}
	x.do(chromedp.Click(chromedp.CSS("[id='pkg/shop/orders'] summary")))
	if got, want := x.shown("[id='pkg/shop/orders'] .miss"), "return errStale"; got != want {
		t.Errorf("missed is %q, want %q", got, want)
	}

	links := value[[]string](x, "[...document.querySelectorAll('a:not([href^=\"#\"])')].map(a => a.getAttribute('href'))")
	want := []string{"diagnose/SUMMARY.md", "logs/image.shop.log", "logs/specs.shop.log", "logs/image.postgresql.log", "logs/cluster.create.log", "logs/specs.shop.log"}
	if !slices.Equal(links, want) {
		t.Fatalf("links lead to %q, want %q", links, want)
	}
	for _, link := range links {
		x.do(chromedp.Navigate(report))
		if _, err := chromedp.RunResponse(x.ctx, chromedp.Click(chromedp.CSS("a[href='"+link+"']"))); err != nil {
			t.Fatalf("%s: %v", link, err)
		}
		if got, want := value[string](x, "location.href"), address(filepath.Join(dir, link)); got != want {
			t.Errorf("%s leads to %s, want %s", link, got, want)
		}
		if got, want := value[string](x, "document.body.innerText"), exampleFiles()[link]; got != want {
			t.Errorf("%s shows %q, want %q", link, got, want)
		}
	}
}

// The browser tells of requests and complaints: a page that does what a report must not
// is found out.
func TestBrowserTellsOfRequests(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.html")
	if err := os.WriteFile(file, []byte(`<img src="missing.png"><script>console.error("no")</script>`), 0o600); err != nil {
		t.Fatal(err)
	}
	x := openTab(t, address(file))
	requests, complaints := x.heard()
	if want := []string{address(file), address(filepath.Join(filepath.Dir(file), "missing.png"))}; !slices.Equal(requests, want) || len(complaints) != 2 {
		t.Errorf("requests %q, want %q; complaints %q", requests, want, complaints)
	}
}

// contrast lists the visible texts whose contrast with what is behind them is lower than
// the 4.5 that WCAG 2 asks for (1.4.3).
const contrast = `(() => {
	const channels = color => color.match(/[\d.]+/g).map(Number);
	const luminance = color => {
		const [r, g, b] = channels(color).map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = e => {
		for (; e; e = e.parentElement) {
			const color = getComputedStyle(e).backgroundColor;
			if (channels(color)[3] !== 0) return color;
		}
		return 'rgb(255, 255, 255)';
	};
	const poor = [];
	for (const e of document.body.querySelectorAll('*')) {
		const text = [...e.childNodes].filter(n => n.nodeType === Node.TEXT_NODE).map(n => n.data.trim()).join('');
		if (!text || !e.checkVisibility()) continue;
		const [high, low] = [luminance(getComputedStyle(e).color), luminance(behind(e))].sort((a, b) => b - a);
		const ratio = (high + 0.05) / (low + 0.05);
		if (ratio < 4.5) poor.push(ratio.toFixed(2) + ': ' + text.slice(0, 40));
	}
	return poor;
})()`

func TestBrowserShowsThePageInEveryShape(t *testing.T) {
	x := openTab(t, address(filepath.Join(writeExample(t), FileName)))
	x.clickAll("summary")
	backgrounds := map[string]string{"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}
	for _, width := range []int64{deskWidth, phoneWidth, 320} {
		x.do(chromedp.EmulateViewport(width, phoneHeight, chromedp.EmulateMobile))
		for scheme, background := range backgrounds {
			x.scheme(scheme)
			if got := value[string](x, "getComputedStyle(document.body).backgroundColor"); got != background {
				t.Errorf("%s is on %s, want %s", scheme, got, background)
			}
			if poor := value[[]string](x, contrast); len(poor) != 0 {
				t.Errorf("hard to read when %s: %q", scheme, poor)
			}
		}
		// A page that is wider than the window makes the browser of a telephone zoom out.
		if got := value[[]int64](x, "[innerWidth, document.documentElement.scrollWidth]"); !slices.Equal(got, []int64{width, width}) {
			t.Errorf("window and page are %d wide, want %d", got, width)
		}
		small := value[[]string](x, `[...document.body.querySelectorAll('*')].filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).map(e => e.tagName)`)
		if len(small) != 0 {
			t.Errorf("letters are smaller than 12 pixels in %q", small)
		}
	}
}

// Pictures for the documentation go to the folder PICTURES, when it is set: of the page
// PAGE, or else of the example. Both are relative to the root of the repository.
func TestBrowserTakesPictures(t *testing.T) {
	inRoot := func(name, otherwise string) string {
		path := os.Getenv(name)
		if path == "" {
			return otherwise
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join("..", "..", "..", path)
		}
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	folder := inRoot("PICTURES", t.TempDir())
	x := openTab(t, address(inRoot("PAGE", filepath.Join(writeExample(t), FileName))))
	desk := chromedp.EmulateViewport(deskWidth, deskHeight)
	for _, picture := range []struct {
		name, scheme string
		viewport     chromedp.Action[chromedp.Void]
		width        int
	}{
		{"report.png", "light", desk, deskWidth},
		{"report-dark.png", "dark", desk, deskWidth},
		{"report-phone.png", "light", chromedp.EmulateViewport(phoneWidth, phoneHeight, chromedp.EmulateMobile, chromedp.EmulateScale(2)), 2 * phoneWidth},
	} {
		x.scheme(picture.scheme)
		x.do(picture.viewport)
		content, err := chromedp.Run(x.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		shape, err := png.DecodeConfig(bytes.NewReader(content))
		if err != nil || shape.Width != picture.width {
			t.Errorf("%s is %d wide, want %d: %v", picture.name, shape.Width, picture.width, err)
		}
		if err := os.WriteFile(filepath.Join(folder, picture.name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
