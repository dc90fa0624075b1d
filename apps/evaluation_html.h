/* evaluation_html.h: an evaluation as one self-contained page. */
#ifndef ATTEND_APPS_EVALUATION_HTML_H
#define ATTEND_APPS_EVALUATION_HTML_H

#include "lib/attend_train.h"

/* Write the page to `path`: numbers, confusion matrix, the loss curves of the model's folder where it has any, the worst errors.
 * Returns an exit code; a failure is told on stderr and leaves no file. */
int attend_evaluation_html(const char *path, const char *model, const char *file, const attend_evaluation *e);

#endif
