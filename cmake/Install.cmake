# What `cmake --install` and the packages (cmake/Packages.cmake) lay out, by component:
#   programs     kvstore_master, kvstore_node, kvctl, with their settings, systemd units, manual
#                pages and shell completions
#   debian       the same settings and units at the places that a Debian package has them
#   runtime      the two shared libraries
#   development  headers, links, CMake's package and pkg-config's files
# Everything but `debian` may be moved as a whole; only the units name absolute paths: those of the
# prefix that is installed to, which is known when it is.
include(CMakePackageConfigHelpers)
# Debian's place for libraries under every prefix, since one build serves them all.
if(NOT DEFINED CMAKE_INSTALL_LIBDIR AND EXISTS /etc/debian_version AND CMAKE_LIBRARY_ARCHITECTURE)
  set(CMAKE_INSTALL_LIBDIR lib/${CMAKE_LIBRARY_ARCHITECTURE} CACHE PATH "Object code libraries")
endif()
include(GNUInstallDirs)

set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kvstore)
set(made ${CMAKE_CURRENT_BINARY_DIR}/packaging)

install(TARGETS kvtransfer_shared kvclient_shared EXPORT kvstoreTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    COMPONENT runtime NAMELINK_COMPONENT development
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(EXPORT kvstoreTargets NAMESPACE kvstore:: DESTINATION ${cmake_dir} COMPONENT development)
configure_package_config_file(packaging/kvstoreConfig.cmake.in ${made}/kvstoreConfig.cmake
  INSTALL_DESTINATION ${cmake_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${made}/kvstoreConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)  # until 1.0
install(FILES ${made}/kvstoreConfig.cmake ${made}/kvstoreConfigVersion.cmake
  DESTINATION ${cmake_dir} COMPONENT development)

file(RELATIVE_PATH pc_to_prefix /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
foreach(name kvtransfer kvclient)
  configure_file(packaging/${name}.pc.in ${made}/${name}.pc @ONLY)
  install(FILES ${made}/${name}.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endforeach()
install(FILES examples/README.md examples/put_get.c examples/put_get.cc examples/zero_copy.cc
  examples/layers.cc
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libkvclient-dev/examples COMPONENT development)

install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libkvclient-dev
  RENAME copyright COMPONENT development)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libkvclient${KVSTORE_ABI_VERSION}
  RENAME copyright COMPONENT runtime)

# Units of the programs that lie under `prefix`, and their settings under `etc_dir`; all three may
# name \${CMAKE_INSTALL_PREFIX}.
function(kvstore_install_units component prefix etc_dir unit_dir)
  foreach(unit kvstore-master.service kvstore-node.service)
    install(CODE "
      set(bin_dir \"${prefix}/${CMAKE_INSTALL_BINDIR}\")
      set(doc_dir \"${prefix}/${CMAKE_INSTALL_DATADIR}/doc/kvstore\")
      set(etc_dir \"${etc_dir}\")
      set(unit \"\$ENV{DESTDIR}${unit_dir}/${unit}\")
      message(STATUS \"Installing: \${unit}\")
      configure_file(\"${CMAKE_SOURCE_DIR}/packaging/${unit}.in\" \"\${unit}\" @ONLY)"
      COMPONENT ${component} ${ARGN})
  endforeach()
endfunction()

if(KVSTORE_WITH_TOOLS)
  set(settings packaging/master.yaml packaging/node.yaml)
  install(TARGETS kvstore_master kvstore_node kvctl kvbench
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/kvstore
    RENAME copyright COMPONENT programs)
  # Made by the programs, see tools/man.
  set(manuals ${CMAKE_BINARY_DIR}/man)
  install(FILES ${manuals}/kvbench.1 ${manuals}/kvctl.1 ${manuals}/kvstore_master.1
    ${manuals}/kvstore_node.1
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT programs)
  set(completions ${CMAKE_BINARY_DIR}/completions)
  install(FILES ${completions}/kvctl
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT programs)
  install(FILES ${completions}/_kvctl
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT programs)
  install(FILES ${completions}/kvctl.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT programs)
  install(FILES README.md SECURITY.md docs/architecture.md docs/metrics.md docs/operations.md
    docs/protocol.md
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/kvstore COMPONENT programs)
  install(FILES packaging/grafana/kvstore.json
    DESTINATION ${CMAKE_INSTALL_DATADIR}/kvstore/grafana COMPONENT programs)
  install(FILES packaging/prometheus/kvstore-alerts.yaml
    DESTINATION ${CMAKE_INSTALL_DATADIR}/kvstore/prometheus COMPONENT programs)
  install(FILES ${settings} DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/kvstore COMPONENT services)
  kvstore_install_units(services "\${CMAKE_INSTALL_PREFIX}"
    "\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SYSCONFDIR}"
    "\${CMAKE_INSTALL_PREFIX}/lib/systemd/system")
  install(FILES ${settings} DESTINATION /etc/kvstore COMPONENT debian EXCLUDE_FROM_ALL)
  kvstore_install_units(debian /usr /etc /lib/systemd/system EXCLUDE_FROM_ALL)
endif()
