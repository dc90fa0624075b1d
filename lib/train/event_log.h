/* event_log.h: the run's log as TensorBoard reads it. */
#ifndef ATTEND_TRAIN_EVENT_LOG_H
#define ATTEND_TRAIN_EVENT_LOG_H

#include "lib/train/trainer.h"

/* OUTPUT_DIR/runs/events.out.tfevents.0.attend with all lines of the log so far: of a resumed run those up to its checkpoint,
 * whatever a killed run had added; their times are those of the old file. IO, NOTFOUND, NOMEM. */
attend_status attend_event_log_open(attend_trainer *trainer);

/* Add the newest line of the log. A disk that is full now need not be when the run ends: the first failure is logged as a
 * warning, and attend_event_log_close writes the whole file. NOMEM. */
attend_status attend_event_log_add(attend_trainer *trainer);
attend_status attend_event_log_close(attend_trainer *trainer);

#endif
