# libkvtransfer.so and libkvclient.so: the objects of the static libraries, linked once more, with
# the public interface as all that they export. Programs of this build go on linking statically.
# docs/decisions/0005-c-interface-and-packages.md has the rules for the number in their names.
set(KVSTORE_ABI_VERSION 0)  # KVCLIENT_ABI_VERSION of kvstore/kvclient.h, checked by tests/capi

# kvstore_shared(TARGET OUTPUT_NAME EXPORT_NAME OBJECTS_OF... HEADERS...)
function(kvstore_shared target)
  cmake_parse_arguments(arg "" "OUTPUT_NAME;EXPORT_NAME" "OBJECTS_OF;HEADERS" ${ARGN})
  add_library(${target} SHARED)
  foreach(library IN LISTS arg_OBJECTS_OF)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${library}>)
  endforeach()
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/include
    FILES ${arg_HEADERS})
  set(exports ${CMAKE_SOURCE_DIR}/cmake/lib${arg_OUTPUT_NAME}.map)
  target_link_options(${target} PRIVATE -Wl,--version-script=${exports})
  if(NOT KVSTORE_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${arg_OUTPUT_NAME}
    EXPORT_NAME ${arg_EXPORT_NAME}
    LINKER_LANGUAGE CXX
    LINK_DEPENDS ${exports}
    INSTALL_RPATH $ORIGIN  # the libraries find each other under any prefix
    VERSION ${KVSTORE_ABI_VERSION}.${PROJECT_VERSION}
    SOVERSION ${KVSTORE_ABI_VERSION})
  add_library(kvstore::${arg_EXPORT_NAME} ALIAS ${target})
endfunction()

set(public ${CMAKE_SOURCE_DIR}/include/kvstore)
kvstore_shared(kvtransfer_shared OUTPUT_NAME kvtransfer EXPORT_NAME transfer
  OBJECTS_OF kvstore_transfer
  HEADERS ${public}/clock.h ${public}/incarnation.h ${public}/result.h ${public}/shared_memory.h
          ${public}/status.h ${public}/transfer.h)
target_link_libraries(kvtransfer_shared PRIVATE Threads::Threads)

kvstore_shared(kvclient_shared OUTPUT_NAME kvclient EXPORT_NAME kvclient
  OBJECTS_OF kvstore_capi kvclient kvstore_client_core kvstore_codec kvstore_messages
             kvstore_services
  HEADERS ${public}/client.h ${public}/kvclient.h ${public}/placement.h ${public}/retention.h
          ${public}/upkeep.h)
target_link_libraries(kvclient_shared
  PUBLIC kvtransfer_shared
  PRIVATE gRPC::grpc++ protobuf::libprotobuf glog::glog absl::flat_hash_set ${XXHASH_LIBRARY}
          Threads::Threads)
