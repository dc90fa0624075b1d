/* check.h: what every cmocka test includes: cmocka in the order it wants, and checks of attend's status codes. */
#ifndef ATTEND_TESTS_CHECK_H
#define ATTEND_TESTS_CHECK_H

#include "lib/core/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The call succeeds; else its error line is shown. */
#define assert_ok(call)                                                           \
	do {                                                                          \
		const attend_status check_status = (call);                                \
		if (check_status != ATTEND_OK) fail_msg("%s: %s", #call, attend_error()); \
	} while (0)

/* The call fails with `status`, and the error line holds `part`. */
#define assert_fails(status, part, call)                                                                         \
	do {                                                                                                         \
		const attend_status check_status = (call);                                                               \
		if (check_status != (status))                                                                            \
			fail_msg("%s: status %d, expected %d (%s)", #call, check_status, (status), attend_error());          \
		if (!strstr(attend_error(), (part))) fail_msg("%s: \"%s\" lacks \"%s\"", #call, attend_error(), (part)); \
	} while (0)

#endif
