# Every tests/**/test_*.c becomes a program and a ctest. Lines of its source rule it:
#     ctest-labels: slow              (default: quick; full for golden/, pathological/ and fault/)
#     ctest-timeout: 600              (default: 120 seconds)
#     ctest-wrap: attend_some_call    (the source has __wrap_attend_some_call, which stands before it)
# tests/support/*.c is linked to all of them. They run in the source folder.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
file(GLOB SUPPORT CONFIGURE_DEPENDS tests/support/*.c)
file(GLOB_RECURSE TESTS CONFIGURE_DEPENDS tests/test_*.c)
if(ATTEND_KERNELS_ONLY)
	list(FILTER TESTS INCLUDE REGEX "/tests/kernels/")
	set(SUPPORT "")
endif()

add_library(attend_test_options INTERFACE)
target_link_libraries(attend_test_options INTERFACE attend_options attend_static attend_deps PkgConfig::CMOCKA)
target_compile_definitions(attend_test_options INTERFACE ATTEND_SOURCE_DIR="${CMAKE_CURRENT_SOURCE_DIR}"
	ATTEND_BINARY_DIR="${CMAKE_CURRENT_BINARY_DIR}")
if(SUPPORT)
	add_library(attend_test_support STATIC ${SUPPORT})
	target_link_libraries(attend_test_support PRIVATE attend_test_options)
	target_link_libraries(attend_test_options INTERFACE $<LINK_ONLY:attend_test_support>)
endif()

# Tests fork; ThreadSanitizer would end a child that starts threads.
set(SANITIZER_ENVIRONMENT "ASAN_OPTIONS=detect_stack_use_after_return=1;UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=die_after_fork=0")

# tests/support/fault.c stands before these calls in programs under tests/fault/.
set(FAULT_WRAPS "")
foreach(call malloc calloc realloc aligned_alloc strdup strndup mmap open read write fsync rename)
	list(APPEND FAULT_WRAPS "-Wl,--wrap=${call}")
endforeach()

foreach(source ${TESTS})
	get_filename_component(name ${source} NAME_WE)
	file(RELATIVE_PATH folder "${CMAKE_CURRENT_SOURCE_DIR}/tests" "${source}")
	get_filename_component(folder ${folder} DIRECTORY)
	set(labels quick)
	if(folder MATCHES "^(golden|pathological|fault)")
		set(labels full)
	endif()
	set(timeout 120)
	file(STRINGS "${source}" rules REGEX "ctest-(labels|timeout):" LIMIT_COUNT 2)
	foreach(rule ${rules})
		string(REGEX MATCH "ctest-(labels|timeout): *([a-z0-9]+)" _ "${rule}")
		set(${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
	endforeach()

	add_executable(${name} ${source})
	set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/tests")
	target_link_libraries(${name} PRIVATE attend_test_options)
	if(folder STREQUAL "fault")
		target_link_options(${name} PRIVATE ${FAULT_WRAPS})
	endif()
	file(STRINGS "${source}" rules REGEX "ctest-wrap:")
	foreach(rule ${rules})
		string(REGEX MATCH "ctest-wrap: *([a-z0-9_]+)" _ "${rule}")
		target_link_options(${name} PRIVATE "-Wl,--wrap=${CMAKE_MATCH_1}")
	endforeach()
	add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
	set_tests_properties(${name} PROPERTIES LABELS "${labels};${folder}" TIMEOUT ${timeout} ENVIRONMENT "${SANITIZER_ENVIRONMENT}")
endforeach()
if(ATTEND_KERNELS_ONLY)
	return()
endif()

# ---- Fuzzing: each target replays its corpus, with a few mutations; with clang and ATTEND_FUZZ there is a libFuzzer program
file(GLOB FUZZERS CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
foreach(source ${FUZZERS})
	get_filename_component(name ${source} NAME_WE)
	string(REGEX REPLACE "^fuzz_" "" format "${name}")
	add_executable(${name} ${source} tests/fuzz/replay.c)
	target_link_libraries(${name} PRIVATE attend_test_options)
	set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/tests")
	add_test(NAME ${name} COMMAND ${name} --mutations 500 "${CMAKE_CURRENT_SOURCE_DIR}/tests/fuzz/corpus/${format}"
		WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
	set_tests_properties(${name} PROPERTIES LABELS "full;fuzz" TIMEOUT 300 ENVIRONMENT "${SANITIZER_ENVIRONMENT}")
	if(ATTEND_FUZZ)
		add_executable(lib${name} ${source})
		target_link_libraries(lib${name} PRIVATE attend_test_options)
		target_link_options(lib${name} PRIVATE -fsanitize=fuzzer)
		set_target_properties(lib${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/fuzz")
	endif()
endforeach()

# ---- The command: tests/cli/*.case -----------------------------------------------------------------------------------------
file(GLOB CASES CONFIGURE_DEPENDS tests/cli/*.case)
if(TARGET attend_cli AND NOT CMAKE_CROSSCOMPILING)
	foreach(case ${CASES})
		get_filename_component(name ${case} NAME_WE)
		add_test(NAME cli_${name} COMMAND sh tests/cli/run.sh "${case}" WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
		set_tests_properties(cli_${name} PROPERTIES LABELS "full;cli" TIMEOUT 300
			ENVIRONMENT "ATTEND=$<TARGET_FILE:attend_cli>;${SANITIZER_ENVIRONMENT}")
	endforeach()
endif()

# ---- Against the reference: skipped where Python has no transformers -----------------------------------------------------------
if(TARGET attend_cli AND NOT CMAKE_CROSSCOMPILING)
	add_test(NAME reference COMMAND sh tests/reference/run.sh WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
	set_tests_properties(reference PROPERTIES LABELS "full;reference" TIMEOUT 300 SKIP_RETURN_CODE 77
		ENVIRONMENT "ATTEND=$<TARGET_FILE:attend_cli>;${SANITIZER_ENVIRONMENT}")
endif()

# ---- A full disk: skipped where nothing can be mounted -------------------------------------------------------------------------
if(TARGET attend_cli AND NOT CMAKE_CROSSCOMPILING)
	add_test(NAME disk COMMAND sh tests/disk/run.sh WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
	set_tests_properties(disk PROPERTIES LABELS "full;disk" TIMEOUT 300 SKIP_RETURN_CODE 77
		ENVIRONMENT "ATTEND=$<TARGET_FILE:attend_cli>;${SANITIZER_ENVIRONMENT}")
endif()

# ---- What is installed -----------------------------------------------------------------------------------------------------
find_program(ATTEND_CXX NAMES c++ g++ clang++)
if(ATTEND_CXX)
	add_test(NAME headers COMMAND sh tests/headers/run.sh "${CMAKE_C_COMPILER}" "${ATTEND_CXX}" "${HEADER_FOLDER}"
		WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
	set_tests_properties(headers PROPERTIES LABELS "quick;headers")
endif()
add_test(NAME symbols COMMAND sh tests/symbols.sh $<TARGET_FILE:attend_static> $<TARGET_FILE:attend_shared>
	WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
set_tests_properties(symbols PROPERTIES LABELS "quick;headers")
if(TARGET attend_cli AND NOT ATTEND_SANITIZE AND NOT ATTEND_COVERAGE AND NOT CMAKE_CROSSCOMPILING)
	add_test(NAME install COMMAND sh tests/install/run.sh "${CMAKE_CURRENT_BINARY_DIR}"
		WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
	set_tests_properties(install PROPERTIES LABELS "full;install" TIMEOUT 300 ENVIRONMENT "CC=${CMAKE_C_COMPILER}")
	if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/README.md")
		add_test(NAME readme COMMAND sh tests/install/readme.sh "${CMAKE_CURRENT_BINARY_DIR}"
			WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
		set_tests_properties(readme PROPERTIES LABELS "full;install" ENVIRONMENT "CC=${CMAKE_C_COMPILER}")
	endif()
endif()

# ---- Valgrind: the unit tests and the fault sweeps again, in its emulation -------------------------------------------------
# "ctest-valgrind: no" in a source leaves it out: sweeps that would take ten minutes there and run under AddressSanitizer too.
find_program(VALGRIND valgrind)
if(VALGRIND AND NOT ATTEND_SANITIZE AND NOT ATTEND_COVERAGE AND NOT CMAKE_CROSSCOMPILING)
	foreach(source ${TESTS})
		if(source MATCHES "/tests/(unit|fault)/")
			get_filename_component(name ${source} NAME_WE)
			file(STRINGS "${source}" skipped REGEX "ctest-valgrind: no" LIMIT_COUNT 1)
			if(skipped)
				continue()
			endif()
			add_test(NAME valgrind_${name} WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
				COMMAND ${VALGRIND} -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite
				--errors-for-leak-kinds=definite $<TARGET_FILE:${name}>)
			set_tests_properties(valgrind_${name} PROPERTIES LABELS "slow;valgrind" TIMEOUT 600)
		endif()
	endforeach()
endif()

# ---- Speed: instruction counts against their record (tests/bench/counts.sh); 77: made elsewhere ---------------------------------
if(VALGRIND AND TARGET attend_cli AND CMAKE_BUILD_TYPE MATCHES "^Rel" AND NOT ATTEND_SANITIZE AND NOT ATTEND_COVERAGE
	AND NOT CMAKE_CROSSCOMPILING)
	add_test(NAME bench_counts COMMAND sh tests/bench/counts.sh WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
	set_tests_properties(bench_counts PROPERTIES LABELS "slow;bench" TIMEOUT 900 SKIP_RETURN_CODE 77
		ENVIRONMENT "ATTEND=$<TARGET_FILE:attend_cli>")
endif()
