// SPDX-License-Identifier: Apache-2.0
// The C library's functions as a program sees them, on libzokio-malloc.so (LD_PRELOAD).

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace {

// Keeps the compiler from seeing what is allocated.
template <class T>
T opaque(T value) {
  asm volatile("" : "+r"(value) : : "memory");
  return value;
}

bool aligned(const void* p, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(p) % alignment == 0;
}

TEST(MallocTest, IsOurs) {
  for (const char* name : {"malloc", "free", "calloc", "realloc", "posix_memalign", "_Znwm"}) {
    Dl_info info{};
    void* address = dlsym(RTLD_DEFAULT, name);
    ASSERT_NE(dladdr(address, &info), 0) << name;
    EXPECT_NE(std::string(info.dli_fname).find("libzokio-malloc.so"), std::string::npos) << name;
  }
}

TEST(MallocTest, SizesAlignmentsAndUsableSize) {
  for (std::size_t bytes = 0; bytes < 4 << 20; bytes += 1 + bytes / 8) {
    void* p = opaque(malloc(bytes));
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(aligned(p, 16)) << bytes;
    ASSERT_GE(malloc_usable_size(p), bytes);
    std::memset(p, 0xA5, malloc_usable_size(p));
    free(p);
  }
  free(opaque<void*>(nullptr));
  EXPECT_EQ(malloc_usable_size(nullptr), 0u);
}

TEST(MallocTest, Calloc) {
  for (int i = 0; i < 100; ++i) {
    auto* p = static_cast<unsigned char*>(opaque(calloc(7, 91)));
    for (int at = 0; at < 7 * 91; ++at) ASSERT_EQ(p[at], 0);
    std::memset(p, 1, 7 * 91);
    free(p);
  }
  errno = 0;
  EXPECT_EQ(opaque(calloc(opaque(SIZE_MAX / 2), 3)), nullptr);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(MallocTest, Realloc) {
  auto* p = static_cast<char*>(opaque(realloc(nullptr, 10)));
  std::strcpy(p, "zokio");
  for (std::size_t bytes : {100u, 10'000u, 5u << 20, 12u << 20, 300u, 6u}) {
    p = static_cast<char*>(opaque(realloc(p, bytes)));
    ASSERT_NE(p, nullptr);
    EXPECT_STREQ(p, "zokio") << bytes;
  }
  errno = 0;
  EXPECT_EQ(opaque(realloc(p, opaque(SIZE_MAX / 2))), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_STREQ(p, "zokio") << "stays when there is no memory";
  EXPECT_EQ(opaque(reallocarray(p, opaque(SIZE_MAX / 2), 3)), nullptr);
  EXPECT_EQ(opaque(realloc(p, 0)), nullptr);
}

TEST(MallocTest, AlignedForms) {
  for (std::size_t alignment = sizeof(void*); alignment <= 4 << 20; alignment *= 2) {
    void* p = nullptr;
    ASSERT_EQ(posix_memalign(&p, alignment, 100), 0);
    EXPECT_TRUE(aligned(p, alignment));
    std::memset(p, 1, 100);
    free(p);
    p = opaque(aligned_alloc(alignment, alignment));
    EXPECT_TRUE(aligned(p, alignment));
    free(p);
  }
  void* p = nullptr;
  EXPECT_EQ(posix_memalign(&p, opaque<std::size_t>(24), 1), EINVAL);
  EXPECT_EQ(posix_memalign(&p, opaque<std::size_t>(1), 1), EINVAL);
  p = opaque(valloc(1));
  EXPECT_TRUE(aligned(p, 4096));
  free(p);
  p = opaque(pvalloc(1));
  EXPECT_GE(malloc_usable_size(p), 4096u);
  free(p);
}

TEST(MallocTest, NewAndDelete) {
  struct alignas(256) Wide {
    char bytes[300];
  };
  delete opaque(new Wide);
  delete[] opaque(new int[1000]);
  EXPECT_EQ(opaque(operator new(opaque(SIZE_MAX / 2), std::nothrow)), nullptr);
  EXPECT_THROW(opaque(operator new(opaque(SIZE_MAX / 2))), std::bad_alloc);
}

// The handler is asked until it gives up.
TEST(MallocTest, NewHandler) {
  static int asked;
  asked = 0;
  std::set_new_handler([] {
    if (++asked == 3) std::set_new_handler(nullptr);
  });
  EXPECT_THROW(opaque(operator new(opaque(SIZE_MAX / 2))), std::bad_alloc);
  EXPECT_EQ(asked, 3);
}

TEST(MallocTest, BlocksOutliveTheThreadThatAllocatedThem) {
  std::vector<char*> blocks;
  for (int t = 0; t < 20; ++t) {
    std::thread([&] {
      for (int i = 0; i < 1000; ++i) {
        auto* p = static_cast<char*>(opaque(malloc(1 + i)));
        p[i] = static_cast<char>(i);
        blocks.push_back(p);
      }
    }).join();
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i][i % 1000], static_cast<char>(i % 1000));
    free(blocks[i]);
  }
}

// The child of a program whose other threads hold whatever locks they hold.
TEST(MallocTest, ForkWhileOthersAllocate) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&stop, t] {
      std::vector<void*> live(300);
      for (std::size_t i = 0; !stop.load(); ++i) {
        void*& p = live[i % live.size()];
        free(p);
        p = malloc(1 + i * 37 % (i % 100 == 0 ? 2'000'000 : 9000) + t);
      }
      for (void* p : live) free(p);
    });
  }
  for (int round = 0; round < 50; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      std::vector<void*> live;
      for (std::size_t i = 0; i < 2000; ++i) live.push_back(malloc(1 + i * 97 % 20'000));
      std::thread([&live] {
        for (void* p : live) free(p);
      }).join();
      _exit(0);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "round " << round;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

// An address space that is full is an error, and the program goes on.
TEST(MallocTest, AddressSpaceLimit) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{std::size_t{1} << 30, std::size_t{1} << 30};
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(2);
    std::vector<void*> live;
    live.reserve(1 << 20);
    std::size_t bytes = 0;
    while (void* p = malloc(100'000)) {
      live.push_back(p);
      bytes += 100'000;
      if (bytes > std::size_t{2} << 30) _exit(3);
    }
    if (errno != ENOMEM || bytes < std::size_t{256} << 20) _exit(4);
    if (malloc(100'000'000) != nullptr) _exit(5);
    for (void* p : live) free(p);
    void* p = malloc(100'000'000);
    _exit(p != nullptr ? 0 : 6);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

long resident_pages() {
  long total = 0, resident = 0;
  std::FILE* f = std::fopen("/proc/self/statm", "r");
  if (std::fscanf(f, "%ld %ld", &total, &resident) != 2) resident = -1;
  std::fclose(f);
  return resident;
}

TEST(MallocTest, TrimGivesMemoryBack) {
  std::vector<void*> live;
  for (int i = 0; i < 200'000; ++i) {
    live.push_back(malloc(200));
    std::memset(live.back(), 1, 200);
  }
  const long before = resident_pages();
  for (void* p : live) free(p);
  EXPECT_EQ(malloc_trim(0), 1);
  EXPECT_LT(resident_pages(), before - 200'000 * 200 / 4096 * 9 / 10);
}

}  // namespace
