// SPDX-License-Identifier: Apache-2.0
// A program with errors, on libzokio-malloc-debug.so (LD_PRELOAD).

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

template <class T>
T opaque(T value) {
  asm volatile("" : "+r"(value) : : "memory");
  return value;
}

TEST(MallocDebugTest, IsTheDebugLibrary) {
  for (const char* name : {"malloc", "free", "realloc", "_Znwm"}) {
    Dl_info info{};
    ASSERT_NE(dladdr(dlsym(RTLD_DEFAULT, name), &info), 0) << name;
    EXPECT_NE(std::string(info.dli_fname).find("libzokio-malloc-debug.so"), std::string::npos);
  }
  void* p = opaque(malloc(13));
  EXPECT_EQ(malloc_usable_size(p), 13u);
  free(p);
}

TEST(MallocDebugTest, ErrorsEndTheProgramWithAMessage) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        char* p = static_cast<char*>(opaque(malloc(13)));
        opaque(p)[13] = 'x';
        free(p);
      },
      "zokio: memory: write behind a block, 1 byte from offset 13: block 0x[0-9a-f]+ of 13 bytes");
  EXPECT_DEATH(
      {
        void* p = opaque(malloc(13));
        free(p);
        free(opaque(p));
      },
      "zokio: memory: second free: block 0x[0-9a-f]+ of 13 bytes.* allocated "
      "by:.*malloc_debug_test.*"
      " freed by:.*malloc_debug_test");
  EXPECT_DEATH(
      {
        int* p = opaque(new int[8]);
        delete[] p;
        opaque(p)[1] = 1;
        // Others push it out.
        for (int i = 0; i < 40; ++i) free(opaque(malloc(1'000'000)));
      },
      "zokio: memory: write after the free, 4 bytes from offset 4: block 0x[0-9a-f]+ of 32 bytes");
  int local = 0;
  EXPECT_DEATH(free(opaque(&local)), "zokio: memory: free of 0x[0-9a-f]+, which is no block");
}

TEST(MallocDebugTest, AForkedChildGoesOn) {
  std::atomic<bool> stop{false};
  std::thread other([&stop] {
    while (!stop.load()) free(opaque(malloc(100)));
  });
  for (int round = 0; round < 20; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      for (int i = 0; i < 100; ++i) free(opaque(malloc(1 + i * 97)));
      _exit(0);
    }
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "round " << round;
  }
  stop = true;
  other.join();
}

}  // namespace
