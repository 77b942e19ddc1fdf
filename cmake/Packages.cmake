# Debian packages, by CPack: `make package` writes them to build/packages.
#   kvstore          programs, their settings (conffiles) and systemd units
#   libkvclient0     both shared libraries; 0 is their ABI's number
#   libkvclient-dev  what programs are built with
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME kvstore)
set(CPACK_PACKAGE_VENDOR "The kvstore project")
set(CPACK_PACKAGE_CONTACT "The kvstore project <kvstore@localhost>" CACHE STRING
  "Maintainer of the packages")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)

set(library_package libkvclient${KVSTORE_ABI_VERSION})
set(CPACK_COMPONENTS_ALL runtime development)
if(KVSTORE_WITH_TOOLS)
  list(APPEND CPACK_COMPONENTS_ALL programs debian)
endif()
set(CPACK_COMPONENT_PROGRAMS_GROUP kvstore)
set(CPACK_COMPONENT_DEBIAN_GROUP kvstore)
set(CPACK_COMPONENT_RUNTIME_GROUP runtime)
set(CPACK_COMPONENT_DEVELOPMENT_GROUP development)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})

set(CPACK_DEBIAN_KVSTORE_PACKAGE_NAME kvstore)
set(CPACK_DEBIAN_KVSTORE_PACKAGE_SECTION net)
set(CPACK_DEBIAN_KVSTORE_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_KVSTORE_DESCRIPTION
  "Distributed KV-cache object store: servers and tool
 The master decides where objects lie, nodes lend memory, kvctl looks into a pool.")
set(debian ${CMAKE_SOURCE_DIR}/packaging/debian)
set(CPACK_DEBIAN_KVSTORE_PACKAGE_CONTROL_EXTRA
  ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME ${library_package})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION
  "Distributed KV-cache object store: libraries
 libkvclient puts and gets; libkvtransfer moves bytes between processes.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libkvclient-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "${library_package} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
  "Distributed KV-cache object store: headers
 For programs in C++20 and C, by CMake's find_package(kvstore) or pkg-config.")
include(CPack)
