/* svg.h: curves as a picture. */
#ifndef ATTEND_TRAIN_SVG_H
#define ATTEND_TRAIN_SVG_H

#include "lib/core/buffer.h"

/* Finite numbers; the name is shown. */
typedef struct attend_curve {
	const char *name;
	const double *x, *y;
	size_t count;
} attend_curve;

typedef struct attend_plot {
	const char *title, *x_name, *y_name;
	bool log_x;   /* decades on the x axis; all x > 0 */
	double y_top; /* higher points are drawn at this height; 0: as high as the curves */
} attend_plot;

/* Curves of one or more runs as an SVG 1.1 picture, appended to `out`. */
void attend_curves_svg(attend_buffer *out, const attend_curve *curves, size_t count, const attend_plot *plot);

#endif
