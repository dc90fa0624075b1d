# What `make install` puts where: library, headers, CMake package, attend.pc, command, man page, completions, models.
include(CMakePackageConfigHelpers)
install(TARGETS attend_shared attend_static attend_deps EXPORT attend-targets
	ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
set(PACKAGE_FOLDER "${CMAKE_INSTALL_LIBDIR}/cmake/attend")
install(EXPORT attend-targets NAMESPACE attend:: DESTINATION "${PACKAGE_FOLDER}")
list(JOIN ATTEND_PC_REQUIRES " " ATTEND_PC_REQUIRES)
configure_package_config_file(cmake/attend-config.cmake.in attend-config.cmake INSTALL_DESTINATION "${PACKAGE_FOLDER}")
write_basic_package_version_file(attend-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/attend-config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/attend-config-version.cmake"
	DESTINATION "${PACKAGE_FOLDER}")
file(RELATIVE_PATH PREFIX_FROM_PC "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
configure_file(cmake/attend.pc.in attend.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/attend.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
install(FILES ${PUBLIC_HEADERS} DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/attend")
install(DIRECTORY models/pretrained/ DESTINATION "${CMAKE_INSTALL_DATADIR}/attend" PATTERN "expected.json" EXCLUDE
	PATTERN "make" EXCLUDE)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION "${CMAKE_INSTALL_DOCDIR}" OPTIONAL)

if(TARGET attend_cli)
	install(TARGETS attend_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
	# The command writes its own man page and completions from its option tables.
	set(TEXTS attend.1 attend.bash _attend attend.fish)
	add_custom_command(OUTPUT ${TEXTS} DEPENDS attend_cli VERBATIM
		COMMAND attend_cli --man > attend.1
		COMMAND attend_cli completion bash > attend.bash
		COMMAND attend_cli completion zsh > _attend
		COMMAND attend_cli completion fish > attend.fish)
	add_custom_target(attend_texts ALL DEPENDS ${TEXTS})
	install(FILES "${CMAKE_CURRENT_BINARY_DIR}/attend.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
	install(FILES "${CMAKE_CURRENT_BINARY_DIR}/attend.bash" RENAME attend
		DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
	install(FILES "${CMAKE_CURRENT_BINARY_DIR}/_attend" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
	install(FILES "${CMAKE_CURRENT_BINARY_DIR}/attend.fish" DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
endif()
