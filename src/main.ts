console.log('cliproxy');
