# Every tests/**/test_*.c becomes a program and a ctest. Lines of its source rule it:
#     ctest-labels: slow              (default: quick; full for golden/, pathological/ and fault/)
#     ctest-timeout: 600              (default: 120 seconds)
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

foreach(source ${TESTS})
	get_filename_component(name ${source} NAME_WE)
	file(RELATIVE_PATH folder "${CMAKE_CURRENT_SOURCE_DIR}/tests" "${source}")
	get_filename_component(folder ${folder} DIRECTORY)
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")

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
	add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
	set_tests_properties(${name} PROPERTIES LABELS "${labels};${folder}" TIMEOUT ${timeout} ENVIRONMENT "${SANITIZER_ENVIRONMENT}")
endforeach()
