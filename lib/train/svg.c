/* svg.c: curves as an SVG 1.1 picture: axes with round ticks, one line per run, a legend. */
#include "lib/train/svg.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 720, HEIGHT = 400, LEFT = 64, RIGHT = 16, TOP = 40, BOTTOM = 48 };

static void put_text(attend_buffer *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<') attend_buffer_text(out, "&lt;");
		else if (*text == '>') attend_buffer_text(out, "&gt;");
		else if (*text == '&') attend_buffer_text(out, "&amp;");
		else attend_buffer_append(out, text, 1);
	}
}

/* 1, 2 or 5 times a power of ten: about five ticks over the range. */
static double tick(double range)
{
	const double raw = range / 5, base = pow(10, floor(log10(raw)));
	return raw / base < 1.5 ? base : raw / base < 3.5 ? 2 * base : raw / base < 7.5 ? 5 * base : 10 * base;
}

typedef struct frame {
	double x0, x1, y0, y1; /* log_x: x as powers of ten */
	bool log_x;
} frame;

static double scaled(const frame *f, double x)
{
	return f->log_x ? log10(x) : x;
}

static frame frame_of(const attend_curve *curves, size_t count, const attend_plot *plot)
{
	frame f = {INFINITY, -INFINITY, INFINITY, -INFINITY, plot->log_x};
	for (size_t c = 0; c < count; c++)
		for (size_t i = 0; i < curves[c].count; i++) {
			f.x0 = fmin(f.x0, scaled(&f, curves[c].x[i]));
			f.x1 = fmax(f.x1, scaled(&f, curves[c].x[i]));
			f.y0 = fmin(f.y0, curves[c].y[i]);
			f.y1 = fmax(f.y1, curves[c].y[i]);
		}
	if (!(f.x1 >= f.x0)) f = (frame){0, 1, 0, 1, plot->log_x};
	if (!(f.x1 > f.x0)) f.x1 = f.x0 + 1;
	if (plot->y_top > f.y0) f.y1 = fmin(f.y1, plot->y_top);
	const double margin = f.y1 > f.y0 ? 0.05 * (f.y1 - f.y0) : 0.5;
	f.y0 -= margin;
	f.y1 += margin;
	return f;
}

static double px(const frame *f, double x)
{
	return LEFT + (x - f->x0) / (f->x1 - f->x0) * (WIDTH - LEFT - RIGHT);
}

static double py(const frame *f, double y)
{
	return HEIGHT - BOTTOM - (fmin(y, f->y1) - f->y0) / (f->y1 - f->y0) * (HEIGHT - TOP - BOTTOM);
}

static void axes(attend_buffer *out, const frame *f)
{
	const double dx = f->log_x ? ceil((f->x1 - f->x0) / 10) : tick(f->x1 - f->x0), dy = tick(f->y1 - f->y0);
	for (double x = ceil(f->x0 / dx) * dx; x <= f->x1 + dx * 1e-9; x += dx)
		attend_buffer_printf(
			out,
			"<path d=\"M%.1f %dV%d\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s%g</text>\n",
			px(f, x), TOP, HEIGHT - BOTTOM, px(f, x), HEIGHT - BOTTOM + 16, f->log_x ? "1e" : "",
			fabs(x) < dx * 1e-9 ? 0 : x);
	for (double y = ceil(f->y0 / dy) * dy; y <= f->y1 + dy * 1e-9; y += dy)
		attend_buffer_printf(
			out, "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
			LEFT, py(f, y), WIDTH - RIGHT, LEFT - 6, py(f, y) + 4, fabs(y) < dy * 1e-9 ? 0 : y);
}

void attend_curves_svg(attend_buffer *out, const attend_curve *curves, size_t count, const attend_plot *plot)
{
	static const char *const colours[] = {"#1f6fb4", "#d9541e", "#2a9d4a", "#8a4fbf",
	                                      "#b48a00", "#c23b6e", "#4d4d4d", "#00908f"};
	const frame f = frame_of(curves, count, plot);
	attend_buffer_printf(
		out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		WIDTH, HEIGHT, WIDTH, HEIGHT);
	attend_buffer_printf(out, "<text x=\"%d\" y=\"22\" font-size=\"15\">", LEFT);
	put_text(out, plot->title);
	attend_buffer_text(out, "</text>\n");
	axes(out, &f);
	for (size_t c = 0; c < count; c++) {
		const char *colour = colours[c % (sizeof colours / sizeof *colours)];
		attend_buffer_printf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", colour);
		for (size_t i = 0; i < curves[c].count; i++)
			attend_buffer_printf(out, "%s%.1f,%.1f", i ? " " : "", px(&f, scaled(&f, curves[c].x[i])),
			                     py(&f, curves[c].y[i]));
		attend_buffer_printf(out, "\"/>\n<text x=\"%d\" y=\"%zu\" text-anchor=\"end\" fill=\"%s\">", WIDTH - RIGHT - 6,
		                     TOP + 16 + 16 * c, colour);
		put_text(out, curves[c].name);
		attend_buffer_text(out, "</text>\n");
	}
	attend_buffer_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2,
	                     HEIGHT - 10);
	put_text(out, plot->x_name);
	attend_buffer_printf(out, "</text>\n<text transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">",
	                     (TOP + HEIGHT - BOTTOM) / 2);
	put_text(out, plot->y_name);
	attend_buffer_text(out, "</text>\n</svg>\n");
}
