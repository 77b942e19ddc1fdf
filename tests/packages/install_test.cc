#include <gtest/gtest.h>

#include <string>

#include "packages/installed.h"

// What `cmake --install` lays out is enough for a project that knows nothing else of kvstore.
namespace kvstore::packages {
namespace {

class InstallTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Execute({KVSTORE_CMAKE_PATH, "--install", KVSTORE_BUILD_FOLDER, "--prefix", prefix_});
  }

  // What a program wrote, without its log.
  static std::string Output(const std::vector<std::string>& arguments) {
    return Execute(arguments).out;
  }

  const Folder folder_;
  const std::string prefix_ = folder_.path() + "/prefix";
  const std::string build_ = folder_.path() + "/build";
};

constexpr char kPutGetOutput[] = "a block in two pieces\nremoved: ok; then: not_found\n";
constexpr char kPutGetInCOutput[] = "a block in two pieces\nremoved; then: not_found\n";

TEST_F(InstallTest, AnOutsideProjectFindsThePackage) {
  Execute({KVSTORE_CMAKE_PATH, "-S", KVSTORE_OUTSIDE_FOLDER, "-B", build_, "-G", "Ninja",
           "-DCMAKE_C_COMPILER=" KVSTORE_CC, "-DCMAKE_CXX_COMPILER=" KVSTORE_CXX,
           "-DCMAKE_PREFIX_PATH=" + prefix_, "-DEXAMPLES=" KVSTORE_EXAMPLES_FOLDER});
  Execute({KVSTORE_CMAKE_PATH, "--build", build_});
  const InstalledPool pool(prefix_ + "/bin");
  EXPECT_EQ(Output({build_ + "/put_get", pool.master()}), kPutGetOutput);
  EXPECT_EQ(Output({build_ + "/put_get_c", pool.master()}), kPutGetInCOutput);
  EXPECT_EQ(Output({build_ + "/transfer_alone"}), "fetched, by tcp\n");
  // Not by way of the store's library.
  EXPECT_EQ(Shell("ldd " + build_ + "/transfer_alone").out.find("kvclient"), std::string::npos);
}

TEST_F(InstallTest, APrefixMayBeMovedAndPkgConfigFindsIt) {
  const std::string moved = folder_.path() + "/moved";
  Execute({"/bin/mv", prefix_, moved});
  const std::string lib = moved + "/" KVSTORE_LIBDIR;
  const std::string pkg_config = "PKG_CONFIG_PATH=" + lib + "/pkgconfig pkg-config ";
  const std::string program = folder_.path() + "/put_get_c";
  Shell(KVSTORE_CC " -std=c11 -Wall -Wextra -Wpedantic -Werror " KVSTORE_EXAMPLES_FOLDER
                   "/put_get.c -o " +
        program + " $(" + pkg_config + "--cflags --libs kvclient) -Wl,-rpath," + lib);
  EXPECT_EQ(Shell(pkg_config + "--modversion kvclient kvtransfer").out,
            KVSTORE_VERSION "\n" KVSTORE_VERSION "\n");
  const InstalledPool pool(moved + "/bin");
  EXPECT_EQ(Output({program, pool.master()}), kPutGetInCOutput);
}

}  // namespace
}  // namespace kvstore::packages
