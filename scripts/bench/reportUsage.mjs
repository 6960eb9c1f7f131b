/** Loaded before a program (`node --import`): prints the processor time and the peak memory of the process on stderr when it ends. */
process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  console.error(`processor ms ${(user + system) / 1000}`);
  console.error(`peak MB ${process.resourceUsage().maxRSS / 1024}`);
});
