/* Stands for libtorch_cpu.so in links_libtorch. */
int grapnel_hostile_torch(void);
__attribute__((visibility("default"))) int grapnel_hostile_torch(void) {
  return 1;
}
