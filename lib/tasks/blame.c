/* blame.c: looks for NaN and infinities. Weights are looked at only when a result is broken: a pass over the whole file would
 * cost more than loading it. */
#include "lib/tasks/blame.h"

#include <math.h>

#include "lib/core/stored.h"

static bool broken(float value)
{
	return isnan(value) || (isinf(value) && value > 0);
}

/* FORMAT when the tensor holds a value that is not finite. */
static attend_status check_tensor(const attend_param *param, const attend_model *model)
{
	size_t at;
	if (param->scales != NULL) return ATTEND_OK; /* looked through when they were packed */
	if (attend_stored_finite(param->stored.data, param->stored.dtype, param->count, &at)) return ATTEND_OK;
	float value;
	const size_t width = attend_dtype_bits(param->stored.dtype) / 8;
	attend_to_f32(&value, (const char *)param->stored.data + at * width, param->stored.dtype, 1);
	return attend_fail(ATTEND_ERR_FORMAT, "%s: tensor '%s': element %zu is %s", model->path, param->name, at,
	                   isnan(value) ? "NaN" : "infinite");
}

attend_status attend_check_finite(const float *values, size_t count, const attend_model *model)
{
	size_t i = 0;
	while (i < count && !broken(values[i])) i++;
	if (i == count) return ATTEND_OK;
	const attend_network *network = &model->checkpoint->network;
	for (size_t p = 0; p < network->param_count; p++)
		if (network->params[p].stored.data != NULL) ATTEND_TRY(check_tensor(&network->params[p], model));
	return attend_fail(ATTEND_ERR_FORMAT, "%s: the numbers overflow on the way, though every weight is finite",
	                   model->path);
}
