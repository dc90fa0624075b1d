/* results.h: what a run writes besides weights: trainer_state.json (HF's form), log.jsonl, all_results.json, loss.svg, the model
 * card. */
#ifndef ATTEND_TRAIN_RESULTS_H
#define ATTEND_TRAIN_RESULTS_H

#include "lib/train/events.h"
#include "lib/train/trainer.h"

/* DIR/trainer_state.json, and back: the state of the run, bit for bit. Reading checks that data and recipe are those that the
 * run began with: DATA names what differs. */
attend_status attend_results_write_state(const attend_trainer *trainer, const char *dir);
attend_status attend_results_read_state(attend_trainer *trainer, const char *dir);

/* DIR/log.jsonl, all_results.json, loss.svg, README.md. */
attend_status attend_results_write_all(const attend_trainer *trainer, const char *dir);

/* Numbers of a log line under TensorBoard's tags, those that are finite; returns how many. Tags are static. */
enum { ATTEND_LOG_SCALARS = 16 };
size_t attend_results_scalars(attend_scalar scalars[ATTEND_LOG_SCALARS], const attend_log_entry *entry);

#endif
