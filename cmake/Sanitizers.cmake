if(KVSTORE_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(KVSTORE_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(KVSTORE_SANITIZE STREQUAL "fuzz")  # clang's only
  add_compile_options(-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(KVSTORE_SANITIZE)
  message(FATAL_ERROR
    "KVSTORE_SANITIZE is '${KVSTORE_SANITIZE}'; it may be address, thread, fuzz or empty")
endif()
if(KVSTORE_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees what the sanitizers add as uses of what was not set, within the standard library's
  # own headers. The other presets keep the warning.
  add_compile_options(-Wno-maybe-uninitialized)
endif()
